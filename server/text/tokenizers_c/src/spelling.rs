//! The bytes that each token stands for.

use crate::{guarded, leak_text, text_of, ShoalText, ShoalTokenizer, INTERNAL};
use std::collections::HashMap;
use std::os::raw::{c_char, c_int};
use tokenizers::Tokenizer;

/// Which way a tokenizer's decoder makes bytes of tokens.
pub struct Spelling {
    /// Of byte-level tokenizers: the byte of each letter. Others write bytes that are no text as "<0x0A>".
    letters: Option<HashMap<char, u8>>,
    space: String,
    /// Added tokens by id: whether they are special, and what they say.
    added: HashMap<u32, (bool, String)>,
}

pub struct Token {
    pub is_special: bool,
    pub bytes: Vec<u8>,
}

impl Spelling {
    pub fn of(tokenizer: &Tokenizer) -> Result<Self, String> {
        let decoder = serde_json::to_value(tokenizer.get_decoder()).map_err(|bad| bad.to_string())?;
        let mut steps = vec![&decoder];
        let mut space = " ".to_string();
        let mut is_byte_level = None;
        while let Some(step) = steps.pop() {
            match step["type"].as_str() {
                Some("ByteLevel") => is_byte_level = Some(true),
                Some("ByteFallback") => is_byte_level = Some(false),
                Some("Replace") if step["content"] == " " => {
                    if let Some(pattern) = step["pattern"]["String"].as_str() {
                        space = pattern.to_string();
                    }
                }
                Some("Sequence") => steps.extend(step["decoders"].as_array().into_iter().flatten()),
                _ => {}
            }
        }
        let Some(is_byte_level) = is_byte_level else {
            return Err("the tokenizer's decoder is neither ByteLevel nor ByteFallback".to_string());
        };
        let added = tokenizer.get_added_tokens_decoder();
        Ok(Self {
            letters: is_byte_level.then(byte_letters),
            space,
            added: added
                .into_iter()
                .map(|(id, token)| (id, (token.special, token.content)))
                .collect(),
        })
    }

    /// None: there is no such token, or it is not spelled as the others are.
    pub fn token(&self, tokenizer: &Tokenizer, id: u32) -> Option<Token> {
        if let Some((is_special, content)) = self.added.get(&id) {
            return Some(Token {
                is_special: *is_special,
                bytes: content.clone().into_bytes(),
            });
        }
        let token = tokenizer.id_to_token(id)?;
        let bytes = match &self.letters {
            Some(letters) => token
                .chars()
                .map(|letter| letters.get(&letter).copied())
                .collect::<Option<Vec<u8>>>()?,
            None => match hex_byte(&token) {
                Some(byte) => vec![byte],
                None => token.replace(self.space.as_str(), " ").into_bytes(),
            },
        };
        Some(Token {
            is_special: false,
            bytes,
        })
    }
}

/// "<0x0A>"
fn hex_byte(token: &str) -> Option<u8> {
    let digits = token.strip_prefix("<0x")?.strip_suffix('>')?;
    u8::from_str_radix(digits, 16).ok()
}

/// The letters by which byte-level tokenizers write bytes: printable ones as they are, the others from U+0100 on.
fn byte_letters() -> HashMap<char, u8> {
    let mut letters = HashMap::new();
    let mut next = 0x100;
    for byte in 0..=255u8 {
        let letter = char::from(byte);
        if matches!(letter, '!'..='~' | '\u{A1}'..='\u{AC}' | '\u{AE}'..='\u{FF}') {
            letters.insert(letter, byte);
        } else {
            letters.extend(char::from_u32(next).map(|other| (other, byte)));
            next += 1;
        }
    }
    letters
}

/// # Safety
/// See shoal_tokenizers.h: `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_token_bytes(
    tokenizer: *const ShoalTokenizer,
    id: u32,
    out: *mut ShoalText,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || {
        let spelled = (*tokenizer)
            .spelling
            .as_ref()
            .and_then(|spelling| spelling.token(&(*tokenizer).tokenizer, id));
        *out = match spelled {
            Some(token) => leak_text(&token.bytes),
            None => text_of(
                &(*tokenizer)
                    .tokenizer
                    .decode(&[id], false)
                    .map_err(|failure| failure.to_string())?,
            ),
        };
        Ok(())
    })
}
