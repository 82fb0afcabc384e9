// Activations, gates and sums, and the moves of whole rows: pooling and gathering.
#pragma once

#include <cstdint>

#include "engine/kernels/activation_kind.hpp"
#include "engine/kernels/matrix.hpp"

namespace shoal::kernels {

// y may be x.
void activate(Activation activation, const Matrix& x, const MutableMatrix& y);
// x [n, 2C] -> y [n, C]: activation(left half) * right half.
void gate(Activation activation, const Matrix& x, const MutableMatrix& y);
// y may be a or b.
void add(const Matrix& a, const Matrix& b, const MutableMatrix& y);

// The mean of the rows of x, [n, C] -> [C]. Requires: n > 0.
void mean_of_rows(const Matrix& x, float* y);

}  // namespace shoal::kernels
