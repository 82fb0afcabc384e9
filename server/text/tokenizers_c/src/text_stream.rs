//! Text that grows by tokens, in pieces that never split a character.

use tokenizers::Tokenizer;

/// Tokens that are decoded again with each new one are cut back to this many once there are twice as many.
const WINDOW: usize = 2;

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
        // A run of byte tokens is a text once it has ended: one more byte may make all of them U+FFFD. Tokens without a
        // text do not end it.
        let run = self
            .window
            .iter()
            .rev()
            .take_while(|id| self.may_go_on(tokenizer, **id))
            .count();
        let text = self.decoded(tokenizer, &self.window[..self.window.len() - run])?;
        // The last character may be the beginning of one that is not complete; those before it never change.
        let is_open = text.ends_with(char::REPLACEMENT_CHARACTER);
        let end = if is_open {
            text.len() - char::REPLACEMENT_CHARACTER.len_utf8()
        } else {
            text.len()
        };
        let piece = self.take(&text, end);
        if !is_open && run == 0 {
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
        if end <= self.told {
            return String::new();
        }
        // A decoder that takes back what it has said cannot be followed: what is new is told from here on.
        if !text.is_char_boundary(self.told) {
            self.told = end;
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

    /// Whether a run of byte tokens that has this one at its end may go on: it is one ("<0x0A>"), or has no text.
    fn may_go_on(&self, tokenizer: &Tokenizer, id: u32) -> bool {
        let Some(token) = tokenizer.id_to_token(id) else {
            return true;
        };
        let is_byte = token.len() == 6 && token.starts_with("<0x") && token.ends_with('>');
        is_byte
            || (self.skip_special
                && tokenizer
                    .get_added_vocabulary()
                    .is_special_token(token.as_str()))
    }
}
