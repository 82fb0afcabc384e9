// Planted: names against the house style. clang-tidy must refuse this file.
struct snake_case_type {
  int value = 0;
};

int CamelCaseFunction(snake_case_type input) { return input.value; }
