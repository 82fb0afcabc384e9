//! The part of shoal_tokenizers.h that is about chat templates.

use crate::chat::{ChatTemplate, FormatTime, Time};
use crate::{bytes, guarded, silence_panics, text_of, ShoalText, INVALID};
use std::ffi::c_void;
use std::os::raw::{c_char, c_int};
use std::panic::{catch_unwind, AssertUnwindSafe};

pub struct ShoalTemplate(ChatTemplate);

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_template_load(
    source: *const u8,
    size: usize,
    out: *mut *mut ShoalTemplate,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    silence_panics();
    guarded(error, error_size, INVALID, || {
        let source = std::str::from_utf8(bytes(source, size))
            .map_err(|_| "the template is not valid UTF-8".to_string())?;
        *out = Box::into_raw(Box::new(ShoalTemplate(ChatTemplate::load(source)?)));
        Ok(())
    })
}

/// # Safety
/// `chat_template` came from shoal_template_load and is not used afterwards, or is null.
#[no_mangle]
pub unsafe extern "C" fn shoal_template_free(chat_template: *mut ShoalTemplate) {
    if !chat_template.is_null() {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(chat_template))));
    }
}

/// # Safety
/// See shoal_tokenizers.h: pointers are valid for the sizes given, `out` is writable.
#[no_mangle]
pub unsafe extern "C" fn shoal_template_render(
    chat_template: *const ShoalTemplate,
    json: *const u8,
    json_size: usize,
    most_bytes: usize,
    format_time: FormatTime,
    time_context: *const c_void,
    out: *mut ShoalText,
    error: *mut c_char,
    error_size: usize,
) -> c_int {
    guarded(error, error_size, INVALID, || {
        let time = Time::new(format_time, time_context);
        let text = (*chat_template)
            .0
            .render(bytes(json, json_size), most_bytes, time)?;
        *out = text_of(&text);
        Ok(())
    })
}
