// expect: P001 wanted
template <bool Holds>
void door() {
  static_assert(Holds, "[P001 wanted] a sentence.");
}
void use() { door<false>(); }
