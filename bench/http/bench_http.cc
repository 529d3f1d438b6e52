// Serves one document through http::Server, plain or gzip as the client asks, until its standard
// input ends.
//
//     bench_http BODY_FILE GZIP_FILE     prints its port
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "http/server.h"

namespace {

std::shared_ptr<const std::string> read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  return std::make_shared<const std::string>(std::istreambuf_iterator<char>(file),
                                             std::istreambuf_iterator<char>());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace gpuscope;
  if (argc != 3) {
    std::fputs("usage: bench_http BODY_FILE GZIP_FILE\n", stderr);
    return 1;
  }
  http::Options options;
  options.port = 0;
  auto server = http::Server::listen(
      options,
      [plain = read_file(argv[1]), gzip = read_file(argv[2])](const http::Request& request) {
        return http::Response{.content_type = "text/plain; version=0.0.4; charset=utf-8",
                              .body = request.accepts_gzip ? gzip : plain,
                              .gzip = request.accepts_gzip,
                              .headers = {}};
      });
  if (!server) {
    std::fprintf(stderr, "%s\n", server.error().message.c_str());
    return 1;
  }
  (*server)->start();
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}
