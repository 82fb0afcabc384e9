// Rotary positions in the half-split order: pairs are the elements i and i + F of a head.
#pragma once

#include <cstdint>

#include "engine/kernels/matrix.hpp"

namespace shoal::kernels {

// y [positions, 2 * frequencies]: cosines, then sines, of position * frequency.
void rope_angles(const std::int32_t* positions, const float* frequencies, std::size_t frequency_count,
                 const MutableMatrix& y);

// Turns the first columns of each head of x by the angles of its row; the others are copied. y may be x.
// Requires: angles.columns <= head_dim, which divides x.columns.
void rope(const Matrix& x, const Matrix& angles, std::size_t head_dim, const MutableMatrix& y);

}  // namespace shoal::kernels
