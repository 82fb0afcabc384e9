//! Text that grows by tokens, in pieces that never split a character.

use tokenizers::Tokenizer;

/// Tokens that are decoded again with each new one are cut back to this many once there are twice as many.
const WINDOW: usize = 16;

/// How a decoder treats a token may depend on the ones before it, so a few of those stay in a window. All but the end of
/// the window's text is already out.
pub struct TextStream {
    skip_special: bool,
    window: Vec<u32>,
    /// Bytes of the window's text that are out.
    told: usize,
}

impl TextStream {
    pub fn new(skip_special: bool) -> Self {
        Self {
            skip_special,
            window: Vec::new(),
            told: 0,
        }
    }

    pub fn add(&mut self, tokenizer: &Tokenizer, id: u32) -> Result<String, String> {
        self.window.push(id);
        let text = self.decoded(tokenizer, &self.window)?;
        // The last character may be the beginning of one that is not complete; those before it never change.
        let is_open = text.ends_with(char::REPLACEMENT_CHARACTER);
        let end = if is_open {
            text.len() - char::REPLACEMENT_CHARACTER.len_utf8()
        } else {
            text.len()
        };
        let piece = self.take(&text, end);
        if !is_open {
            self.shrink(tokenizer)?;
        }
        Ok(piece)
    }

    pub fn finish(&mut self, tokenizer: &Tokenizer) -> Result<String, String> {
        let text = self.decoded(tokenizer, &self.window)?;
        let piece = self.take(&text, text.len());
        self.window.clear();
        self.told = 0;
        Ok(piece)
    }

    fn decoded(&self, tokenizer: &Tokenizer, ids: &[u32]) -> Result<String, String> {
        tokenizer
            .decode(ids, self.skip_special)
            .map_err(|failure| failure.to_string())
    }

    fn take(&mut self, text: &str, end: usize) -> String {
        // A decoder that takes back what it had said leaves nothing to add.
        if end <= self.told || !text.is_char_boundary(self.told) {
            return String::new();
        }
        let piece = text[self.told..end].to_string();
        self.told = end;
        piece
    }

    /// Forgets old tokens, when what is left has a text that later tokens cannot change.
    fn shrink(&mut self, tokenizer: &Tokenizer) -> Result<(), String> {
        if self.window.len() < 2 * WINDOW {
            return Ok(());
        }
        let rest = &self.window[self.window.len() - WINDOW..];
        let text = self.decoded(tokenizer, rest)?;
        if !text.is_empty() && !text.ends_with(char::REPLACEMENT_CHARACTER) {
            self.window = rest.to_vec();
            self.told = text.len();
        }
        Ok(())
    }
}
