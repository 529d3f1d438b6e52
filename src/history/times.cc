#include "history/times.h"

#include "history/bits.h"
#include "history/checksum.h"
#include "history/values_codec.h"

namespace gpuscope::history {

std::string encode_times(const std::vector<std::int64_t>& times) {
  EncodedValues encoded;
  ValuesEncoder encoder;
  encoder.encode(times, encoded);
  std::string bytes;
  put_byte(bytes, static_cast<std::uint8_t>(encoded.codec));
  put_signed(bytes, encoded.base);
  put_varint(bytes, encoded.unit);
  bytes += encoded.bytes;
  put_checksum(bytes, checksum(bytes));
  return bytes;
}

bool decode_times(std::string_view bytes, std::size_t ticks, std::vector<std::int64_t>& out) {
  if (!take_checksum(bytes)) return false;
  ByteReader in(bytes);
  const std::uint8_t codec = in.byte();
  const std::int64_t base = in.signed_number();
  const std::uint64_t unit = in.varint();
  if (!in.ok() || codec < static_cast<std::uint8_t>(ValuesCodec::kBlocks) ||
      codec > static_cast<std::uint8_t>(ValuesCodec::kSecondDifferences)) {
    return false;
  }
  return decode_values(static_cast<ValuesCodec>(codec), unit, base,
                       bytes.substr(bytes.size() - in.left()), ticks, out);
}

}  // namespace gpuscope::history
