// The one object of the target privet::network.
#define PRIVET_COMPILE_NETWORK template
#include <privet/nn/network.hpp>
