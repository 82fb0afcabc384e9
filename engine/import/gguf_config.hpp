// The configuration of a GGUF file as the config.json of the same model would have it, and the names of its tensors as
// the Hugging Face checkpoint has them.
#pragma once

#include <string>
#include <string_view>

#include "engine/core/result.hpp"
#include "engine/import/gguf/gguf.hpp"

namespace shoal::import {

// JSON text. kOperatorNotSupported for an architecture that is not known or something that it asks for;
// kInvalidArgument names a key that is missing or of another type.
Result<std::string> config_of_gguf(const Gguf& gguf, Bytes file);

// "model.layers.3.self_attn.q_proj.weight" of "blk.3.attn_q.weight"; empty for a name that has no place.
std::string checkpoint_name(std::string_view gguf_name);

// Whether the rows of this tensor (by its checkpoint name) are interleaved rotary pairs in files of the architecture.
bool has_interleaved_rows(std::string_view architecture, std::string_view name);

}  // namespace shoal::import
