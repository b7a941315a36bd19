/// 128-bit unsigned integers, which ISO C++ lacks and both our compilers have.
#pragma once

namespace matricula {
__extension__ using uint128 = unsigned __int128;
} // namespace matricula
