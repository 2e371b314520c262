// expect: P001 wanted
template <bool Holds>
void door() {
  static_assert(Holds, "[P002 wanted] a sentence.");
}
void use() { door<!MISUSE>(); }
