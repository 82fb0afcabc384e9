// Normalisations over groups of `width` columns of each row. y may be x. Sums are taken in double precision: what a row
// becomes does not depend on the machine's vector width, nor on the other rows.
#pragma once

#include "engine/kernels/matrix.hpp"

namespace shoal::kernels {

// weight [width], bias [width] or null.
void layer_norm(const Matrix& x, const float* weight, const float* bias, float epsilon, std::size_t width,
                const MutableMatrix& y);
void rms_norm(const Matrix& x, const float* weight, float epsilon, std::size_t width, const MutableMatrix& y);
// Each whole row divided by its Euclidean length, at least 1e-12.
void l2_normalize(const Matrix& x, const MutableMatrix& y);

}  // namespace shoal::kernels
