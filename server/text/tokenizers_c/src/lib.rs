//! Hugging Face tokenizers, chat templates and grammars behind the C ABI of shoal_tokenizers.h. Every entry point catches
//! panics.

mod chat;
mod chat_abi;
mod constraint;
mod constraint_abi;
mod spelling;
mod text_stream;

use spelling::Spelling;
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, set_hook, AssertUnwindSafe};
use std::ptr;
use std::slice;
use std::sync::Once;
use text_stream::TextStream;
use tokenizers::Tokenizer;

const OK: c_int = 0;
const INVALID: c_int = 1;
const INTERNAL: c_int = 2;

pub struct ShoalTokenizer {
    tokenizer: Tokenizer,
    pad_id: i64,
    id_bound: u32,
    /// None: its tokens are no bytes.
    spelling: Option<Spelling>,
}

#[repr(C)]
pub struct ShoalEncoding {
    ids: *mut u32,
    type_ids: *mut u32,
    size: usize,
}

#[repr(C)]
pub struct ShoalText {
    bytes: *mut u8,
    size: usize,
}

pub struct ShoalTextStream {
    tokenizer: *const ShoalTokenizer,
    stream: TextStream,
}

/// # Safety
/// `data` is null or points to `size` readable bytes that live as long as the call.
unsafe fn bytes<'a>(data: *const u8, size: usize) -> &'a [u8] {
    if data.is_null() || size == 0 {
        &[]
    } else {
        slice::from_raw_parts(data, size)
    }
}

/// # Safety
/// `buffer` is null or points to `size` writable bytes.
unsafe fn write_error(message: &str, buffer: *mut c_char, size: usize) {
    if buffer.is_null() || size == 0 {
        return;
    }
    let mut length = message.len().min(size - 1);
    while !message.is_char_boundary(length) {
        length -= 1;
    }
    ptr::copy_nonoverlapping(message.as_ptr(), buffer.cast::<u8>(), length);
    *buffer.add(length) = 0;
}

/// # Safety
/// As `write_error`. `panicked` is the status of a panic in `body`.
unsafe fn guarded(
    error: *mut c_char,
    error_size: usize,
    panicked: c_int,
    body: impl FnOnce() -> Result<(), String>,
) -> c_int {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => OK,
        Ok(Err(message)) => {
            write_error(&message, error, error_size);
            INVALID
        }
        Err(panic) => {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            write_error(
                &format!("the tokenizer library panicked: {text}"),
                error,
                error_size,
            );
            panicked
        }
    }
}

/// A panic is reported once, as an error value, and not on stderr as well.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| set_hook(Box::new(|_| {})));
}

fn load(json: &[u8]) -> Result<ShoalTokenizer, String> {
    let mut tokenizer = Tokenizer::from_bytes(json).map_err(|error| error.to_string())?;
    let pad_id = match tokenizer.get_padding() {
        Some(padding) => i64::from(padding.pad_id),
        None => ["[PAD]", "<pad>"]
            .iter()
            .find_map(|token| tokenizer.token_to_id(token))
            .map_or(-1, i64::from),
    };
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|error| error.to_string())?;
    let id_bound = tokenizer
        .get_vocab(true)
        .values()
        .max()
        .map_or(0, |id| id.saturating_add(1));
    let spelling = Spelling::of(&tokenizer).ok();
    Ok(ShoalTokenizer {
        tokenizer,
        pad_id,
        id_bound,
        spelling,
    })
}

fn leak(values: &[u32]) -> *mut u32 {
    Box::into_raw(values.to_vec().into_boxed_slice()).cast::<u32>()
}

/// # Safety
/// `data` came from `leak` with `size` values, or is null.
unsafe fn reclaim(data: *mut u32, size: usize) {
    if !data.is_null() {
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(data, size)));
    }
}

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_load(
    json: *const u8,
    size: usize,
    out: *mut *mut ShoalTokenizer,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    silence_panics();
    // The library unwraps in its deserialisers: a panic here means that the file is damaged.
    guarded(error, error_size, INVALID, || {
        let loaded = load(bytes(json, size))?;
        *out = Box::into_raw(Box::new(loaded));
        Ok(())
    })
}

/// # Safety
/// `tokenizer` came from shoal_tokenizer_load and is not used afterwards, or is null.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_free(tokenizer: *mut ShoalTokenizer) {
    if !tokenizer.is_null() {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(tokenizer))));
    }
}

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_encode(
    tokenizer: *const ShoalTokenizer,
    text: *const u8,
    text_size: usize,
    pair: *const u8,
    pair_size: usize,
    add_special_tokens: c_int,
    out: *mut ShoalEncoding,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || {
        let not_utf8 = |bad: std::str::Utf8Error| {
            format!(
                "text is not valid UTF-8: byte {} is wrong",
                bad.valid_up_to()
            )
        };
        let first = std::str::from_utf8(bytes(text, text_size)).map_err(not_utf8)?;
        let special = add_special_tokens != 0;
        let inner = &(*tokenizer).tokenizer;
        // encode_fast leaves out the character offsets, which nobody reads here.
        let encoding = if pair.is_null() {
            inner.encode_fast(first, special)
        } else {
            let second = std::str::from_utf8(bytes(pair, pair_size)).map_err(not_utf8)?;
            inner.encode_fast((first, second), special)
        }
        .map_err(|failure| failure.to_string())?;
        *out = ShoalEncoding {
            ids: leak(encoding.get_ids()),
            type_ids: leak(encoding.get_type_ids()),
            size: encoding.len(),
        };
        Ok(())
    })
}

/// # Safety
/// `encoding` was filled by shoal_tokenizer_encode.
#[no_mangle]
pub unsafe extern "C" fn shoal_encoding_free(encoding: *mut ShoalEncoding) {
    if !encoding.is_null() {
        let size = (*encoding).size;
        reclaim((*encoding).ids, size);
        reclaim((*encoding).type_ids, size);
        *encoding = ShoalEncoding {
            ids: ptr::null_mut(),
            type_ids: ptr::null_mut(),
            size: 0,
        };
    }
}

fn text_of(text: &str) -> ShoalText {
    leak_text(text.as_bytes())
}

fn leak_text(bytes: &[u8]) -> ShoalText {
    if bytes.is_empty() {
        return ShoalText {
            bytes: ptr::null_mut(),
            size: 0,
        };
    }
    ShoalText {
        bytes: Box::into_raw(bytes.to_vec().into_boxed_slice()).cast::<u8>(),
        size: bytes.len(),
    }
}

/// # Safety
/// `text` was filled by a function of this crate.
#[no_mangle]
pub unsafe extern "C" fn shoal_text_free(text: *mut ShoalText) {
    if !text.is_null() && !(*text).bytes.is_null() {
        drop(Box::from_raw(ptr::slice_from_raw_parts_mut(
            (*text).bytes,
            (*text).size,
        )));
        *text = text_of("");
    }
}

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_decode(
    tokenizer: *const ShoalTokenizer,
    ids: *const u32,
    size: usize,
    skip_special: c_int,
    out: *mut ShoalText,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || {
        let ids = if size == 0 {
            &[]
        } else {
            slice::from_raw_parts(ids, size)
        };
        let text = (*tokenizer)
            .tokenizer
            .decode(ids, skip_special != 0)
            .map_err(|failure| failure.to_string())?;
        *out = text_of(&text);
        Ok(())
    })
}

/// # Safety
/// `tokenizer` came from shoal_tokenizer_load and outlives the stream.
#[no_mangle]
pub unsafe extern "C" fn shoal_text_stream_new(
    tokenizer: *const ShoalTokenizer,
    skip_special: c_int,
) -> *mut ShoalTextStream {
    Box::into_raw(Box::new(ShoalTextStream {
        tokenizer,
        stream: TextStream::new(skip_special != 0),
    }))
}

/// # Safety
/// `stream` came from shoal_text_stream_new and is not used afterwards, or is null.
#[no_mangle]
pub unsafe extern "C" fn shoal_text_stream_free(stream: *mut ShoalTextStream) {
    if !stream.is_null() {
        drop(Box::from_raw(stream));
    }
}

/// # Safety
/// `stream` came from shoal_text_stream_new; `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_text_stream_add(
    stream: *mut ShoalTextStream,
    id: u32,
    out: *mut ShoalText,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || {
        let tokenizer = &(*(*stream).tokenizer).tokenizer;
        *out = text_of(&(*stream).stream.add(tokenizer, id)?);
        Ok(())
    })
}

/// # Safety
/// `stream` came from shoal_text_stream_new; `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_text_stream_finish(
    stream: *mut ShoalTextStream,
    out: *mut ShoalText,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INTERNAL, || {
        let tokenizer = &(*(*stream).tokenizer).tokenizer;
        *out = text_of(&(*stream).stream.finish(tokenizer)?);
        Ok(())
    })
}

/// # Safety
/// `tokenizer` came from shoal_tokenizer_load.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_vocab_size(tokenizer: *const ShoalTokenizer) -> u32 {
    (*tokenizer).id_bound
}

/// # Safety
/// `tokenizer` came from shoal_tokenizer_load.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_pad_id(tokenizer: *const ShoalTokenizer) -> i64 {
    (*tokenizer).pad_id
}

/// # Safety
/// `tokenizer` came from shoal_tokenizer_load; `token` points to `token_size` bytes.
#[no_mangle]
pub unsafe extern "C" fn shoal_tokenizer_token_id(
    tokenizer: *const ShoalTokenizer,
    token: *const u8,
    token_size: usize,
) -> i64 {
    catch_unwind(AssertUnwindSafe(|| {
        std::str::from_utf8(bytes(token, token_size))
            .ok()
            .and_then(|text| (*tokenizer).tokenizer.token_to_id(text))
            .map_or(-1, i64::from)
    }))
    .unwrap_or(-1)
}
