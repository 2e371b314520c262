// With other.cpp: two files that include everything must link.
#include <privet/privet.hpp>

const void* other();

int main() { return other() == nullptr; }
