// expect: P001 wanted
// A guard in a static member that nobody instantiates guards nothing.
template <bool Holds>
struct door {
  static void check() { static_assert(Holds, "[P001 wanted] a sentence."); }
};
door<!MISUSE> use;
