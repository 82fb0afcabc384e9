//! The part of shoal_tokenizers.h that is about constraints.

use crate::constraint::{Constraint, Vocabulary};
use crate::{bytes, guarded, silence_panics, ShoalTokenizer, INTERNAL, INVALID};
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice;

pub struct ShoalVocabulary(Vocabulary);
pub struct ShoalConstraint(Constraint);

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_vocabulary_new(
    tokenizer: *const ShoalTokenizer,
    stop_ids: *const u32,
    stops: usize,
    size: usize,
    out: *mut *mut ShoalVocabulary,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    silence_panics();
    guarded(error, error_size, INVALID, || {
        let stop_ids = if stops == 0 {
            &[]
        } else {
            slice::from_raw_parts(stop_ids, stops)
        };
        let made = Vocabulary::new(&(*tokenizer).tokenizer, stop_ids, size)?;
        *out = Box::into_raw(Box::new(ShoalVocabulary(made)));
        Ok(())
    })
}

/// # Safety
/// `vocabulary` came from shoal_vocabulary_new and is not used afterwards, or is null.
#[no_mangle]
pub unsafe extern "C" fn shoal_vocabulary_free(vocabulary: *mut ShoalVocabulary) {
    if !vocabulary.is_null() {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(vocabulary))));
    }
}

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_constraint_new(
    vocabulary: *const ShoalVocabulary,
    is_schema: c_int,
    grammar: *const u8,
    size: usize,
    out: *mut *mut ShoalConstraint,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INVALID, || {
        let grammar = std::str::from_utf8(bytes(grammar, size))
            .map_err(|_| "the grammar is not valid UTF-8".to_string())?;
        let made = Constraint::new(&(*vocabulary).0, grammar, is_schema != 0)?;
        *out = Box::into_raw(Box::new(ShoalConstraint(made)));
        Ok(())
    })
}

/// # Safety
/// `constraint` came from shoal_constraint_new and is not used afterwards, or is null.
#[no_mangle]
pub unsafe extern "C" fn shoal_constraint_free(constraint: *mut ShoalConstraint) {
    if !constraint.is_null() {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(constraint))));
    }
}

/// # Safety
/// `constraint` came from shoal_constraint_new; `mask` points to `size` writable bytes.
#[no_mangle]
pub unsafe extern "C" fn shoal_constraint_mask(
    constraint: *mut ShoalConstraint,
    mask: *mut u8,
    size: usize,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || {
        (*constraint)
            .0
            .mask(slice::from_raw_parts_mut(mask, size))
    })
}

/// # Safety
/// `constraint` came from shoal_constraint_new.
#[no_mangle]
pub unsafe extern "C" fn shoal_constraint_take(
    constraint: *mut ShoalConstraint,
    id: u32,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || (*constraint).0.take(id))
}

/// # Safety
/// `constraint` came from shoal_constraint_new.
#[no_mangle]
pub unsafe extern "C" fn shoal_constraint_has_ended(constraint: *const ShoalConstraint) -> c_int {
    catch_unwind(AssertUnwindSafe(|| (*constraint).0.has_ended())).map_or(1, c_int::from)
}
