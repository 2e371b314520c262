#include <privet/privet.hpp>

const void* other() { return "linked"; }
