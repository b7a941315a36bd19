/// Times in rows: milliseconds since 1970 as a varint.
#pragma once
#include "foundation/bytes.hpp"
#include "foundation/clock.hpp"

namespace matricula::storage {

inline void write_time(byte_writer& out, timestamp t) {
  out.varint(static_cast<std::uint64_t>(t.time_since_epoch().count()));
}
inline timestamp read_time(byte_reader& in) { return timestamp{milliseconds{static_cast<std::int64_t>(in.varint())}}; }

} // namespace matricula::storage
