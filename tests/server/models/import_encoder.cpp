// import_encoder SOURCE VERSION_FOLDER: the importer as a program, for tests that look at its graph from outside.
#include <cstdio>

#include "server/models/bert_graph.hpp"

int main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: import_encoder SOURCE VERSION_FOLDER\n", stderr);
    return 2;
  }
  const auto done = shoal::models::import_sentence_encoder(arguments[1], arguments[2]);
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return 1;
  }
  return 0;
}
