//! Answers that obey a grammar: which tokens may come next, by llguidance.

use crate::spelling::Spelling;
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie};
use llguidance::{Matcher, ParserFactory};
use std::sync::Arc;
use tokenizers::Tokenizer;

/// The bytes of every id, in the order that the library walks them. Shared by all constraints of a tokenizer.
pub struct Vocabulary {
    factory: ParserFactory,
    size: usize,
}

impl Vocabulary {
    /// `size`: ids of the model, of which the tokenizer may not know all. `stops` end an answer.
    pub fn new(tokenizer: &Tokenizer, stops: &[u32], size: usize) -> Result<Self, String> {
        let Some(first) = stops.first() else {
            return Err("the model has no token that ends an answer".to_string());
        };
        if stops.iter().any(|id| *id as usize >= size) {
            return Err("a token that ends an answer is outside the vocabulary".to_string());
        }
        let info = TokRxInfo::new(size as u32, *first);
        let trie = TokTrie::from(&info, &bytes_of_all(tokenizer, size)?).with_eos_tokens(stops);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new_simple(&environment).map_err(|bad| bad.to_string())?;
        factory.quiet();
        factory.limits_mut().verbose_errors = false;
        Ok(Self { factory, size })
    }
}

pub struct Constraint {
    matcher: Matcher,
    size: usize,
}

impl Constraint {
    /// `grammar`: a JSON schema, or a grammar in llguidance's form of Lark.
    pub fn new(vocabulary: &Vocabulary, grammar: &str, is_schema: bool) -> Result<Self, String> {
        let grammar = if is_schema {
            let schema = serde_json::from_str(grammar).map_err(|bad| bad.to_string())?;
            TopLevelGrammar::from_json_schema(schema)
        } else {
            TopLevelGrammar::from_lark(grammar.to_string())
        };
        let mut matcher = Matcher::new(vocabulary.factory.create_parser(grammar));
        if let Some(error) = matcher.get_error() {
            return Err(error);
        }
        // A schema that the library only follows in part would let wrong answers through.
        if let Some(warning) = matcher.grammar_warnings().into_iter().next() {
            return Err(warning);
        }
        Ok(Self {
            matcher,
            size: vocabulary.size,
        })
    }

    /// Bit i % 8 of byte i / 8: whether id i may come next.
    pub fn mask(&mut self, mask: &mut [u8]) -> Result<(), String> {
        if mask.len() != self.size.div_ceil(8) {
            return Err("a mask of another size".to_string());
        }
        let allowed = self
            .matcher
            .compute_mask_or_eos()
            .map_err(|bad| bad.to_string())?;
        mask.fill(0);
        allowed.iter_set_entries(|id| {
            if id < self.size {
                mask[id / 8] |= 1 << (id % 8);
            }
        });
        if mask.iter().all(|byte| *byte == 0) {
            return Err("no token can come next".to_string());
        }
        Ok(())
    }

    pub fn take(&mut self, id: u32) -> Result<(), String> {
        self.matcher
            .consume_token(id)
            .map_err(|bad| bad.to_string())
    }

    pub fn has_ended(&self) -> bool {
        self.matcher.is_stopped()
    }
}

/// Ids without bytes are never allowed; special tokens only where a grammar names them.
fn bytes_of_all(tokenizer: &Tokenizer, size: usize) -> Result<Vec<Vec<u8>>, String> {
    let spelling = Spelling::of(tokenizer)?;
    let bytes_of = |id: u32| match spelling.token(tokenizer, id) {
        Some(token) if token.is_special => {
            [vec![TokTrie::SPECIAL_TOKEN_MARKER], token.bytes].concat()
        }
        Some(token) => token.bytes,
        None => Vec::new(),
    };
    Ok((0..size as u32).map(bytes_of).collect())
}

/// The C ABI promises that every thread may use a vocabulary.
const _: fn() = || {
    fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Vocabulary>();
};
