//! Chat templates: Jinja as Hugging Face sets it up.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use serde::Serialize;
use std::ffi::{c_char, c_void, CString};
use std::io::Write;

const NAME: &str = "chat";
/// Instructions of a template in one rendering: seconds at most. A chat of a thousand messages takes some 50,000.
const FUEL: u64 = 20_000_000;

pub type FormatTime = extern "C" fn(*const c_void, *const c_char, *mut c_char, usize) -> usize;

/// The clock of one rendering.
#[derive(Clone, Copy)]
pub struct Time {
    format: FormatTime,
    context: usize,
}

impl Time {
    pub fn new(format: FormatTime, context: *const c_void) -> Self {
        Self {
            format,
            context: context as usize,
        }
    }

    fn formatted(&self, format: &str) -> Result<String, Error> {
        let bad = || Error::new(ErrorKind::InvalidOperation, "a format of time that cannot be");
        let format = CString::new(format).map_err(|_| bad())?;
        let mut out = [0u8; 256];
        let size = (self.format)(
            self.context as *const c_void,
            format.as_ptr(),
            out.as_mut_ptr().cast::<c_char>(),
            out.len(),
        );
        let text = std::str::from_utf8(&out[..size.min(out.len())]).map_err(|_| bad())?;
        Ok(text.to_string())
    }
}

pub struct ChatTemplate {
    environment: Environment<'static>,
}

impl ChatTemplate {
    pub fn load(source: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_fuel(Some(FUEL));
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.set_formatter(print_as_python);
        environment.add_filter("tojson", tojson);
        environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, message))
        });
        environment
            .add_template_owned(NAME, without_generation_tags(source))
            .map_err(described)?;
        Ok(Self { environment })
    }

    pub fn render(&self, json: &[u8], most_bytes: usize, time: Time) -> Result<String, String> {
        let variables: serde_json::Value =
            serde_json::from_slice(json).map_err(|bad| format!("the variables are no JSON: {bad}"))?;
        // The time belongs to the rendering and the environment to all: a copy of its tables is cheap.
        let mut environment = self.environment.clone();
        environment.add_function("strftime_now", move |format: &str| time.formatted(format));
        let mut out = Bounded {
            bytes: Vec::new(),
            most: most_bytes,
            is_full: false,
        };
        let template = environment.get_template(NAME).map_err(described)?;
        let rendered = template.render_captured_to(Value::from_serialize(&variables), &mut out);
        if out.is_full {
            return Err(format!("it writes more than {most_bytes} bytes"));
        }
        rendered.map_err(described)?;
        String::from_utf8(out.bytes).map_err(|_| "the template wrote no UTF-8".to_string())
    }
}

/// The message of the first cause: what raise_exception said, without where.
fn described(error: Error) -> String {
    let text = match error.detail() {
        Some(detail) => detail.to_string(),
        None => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("line {line}: {text}"),
        None => text,
    }
}

struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if bytes.len() > self.most - self.bytes.len() {
            self.is_full = true;
            return Err(std::io::Error::other("full"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn print_as_python(out: &mut Output, state: &State, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::None => out.write_str("None").map_err(Error::from),
        ValueKind::Bool => out
            .write_str(if value.is_true() { "True" } else { "False" })
            .map_err(Error::from),
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// json.dumps(value, ensure_ascii=False, indent=indent): a space behind commas and colons, nothing escaped for HTML.
fn tojson(value: &Value, options: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let mut out = Vec::new();
    let written = match indent {
        Some(width) => {
            let spaces = b" ".repeat(width.min(64));
            let formatter = serde_json::ser::PrettyFormatter::with_indent(&spaces);
            value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, formatter))
        }
        None => value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, OneLine)),
    };
    written.map_err(|bad| Error::new(ErrorKind::BadSerialization, bad.to_string()))?;
    let text = String::from_utf8(out).map_err(|bad| Error::new(ErrorKind::BadSerialization, bad.to_string()))?;
    Ok(Value::from_safe_string(text))
}

struct OneLine;

impl serde_json::ser::Formatter for OneLine {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> std::io::Result<()> {
        out.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> std::io::Result<()> {
        out.write_all(b": ")
    }
}

/// Hugging Face marks what the assistant says by `{% generation %}`: a comment in its place keeps the whitespace rules.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(begin) = rest.find("{%") {
        let (before, tag) = rest.split_at(begin);
        out.push_str(before);
        let Some(end) = tag.find("%}") else {
            out.push_str(tag);
            return out;
        };
        let inside = &tag[2..end];
        match inside.trim_matches(['-', '+']).trim() {
            "generation" | "endgeneration" => {
                let front = if inside.starts_with('-') { "{#-" } else { "{#" };
                let back = if inside.ends_with('-') { "-#}" } else { "#}" };
                out.push_str(front);
                out.push_str(back);
            }
            _ => out.push_str(&tag[..end + 2]),
        }
        rest = &tag[end + 2..];
    }
    out.push_str(rest);
    out
}
