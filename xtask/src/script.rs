//! Builds `dist/trac.js`: compiles Rust to WebAssembly, runs bindgen and wasm-opt, and bundles the result
//! with the modules in `trac-js/js` into one file.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use sha2::Digest as _;
use walrus::{Export, ExportItem, Function, FunctionBuilder, FunctionKind, Module};
use wasm_bindgen_cli_support::Bindgen;

use crate::{Outcome, frames, setup};

/// The folder of the generated modules, from which `js/` imports them.
const GENERATED: &str = "trac-js/generated";

/// The largest allowed size of each file, in bytes after brotli.
const LIMITS: [(&str, usize); 3] = [("trac.js", 7_000), ("trac.compat.js", 9_000), ("trac-verify.js", 3_000)];

/// The WebAssembly features that wasm-opt may use: those of all recent engines. They are listed, so that a
/// newer binaryen does not add others.
const WASM_FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Checks all JavaScript of the repository with `ESLint`.
pub(crate) fn lint() -> Outcome {
    let config = setup::npm_folder()?.join("eslint.config.js");
    setup::run(
        Command::new(setup::npm_tool("eslint")?)
            .arg("--config")
            .arg(config)
            .arg(".")
            .current_dir(setup::root()?),
    )
}

pub(crate) fn build() -> Outcome {
    let root = setup::root()?;
    let work = root.join("target/script");
    std::fs::create_dir_all(&work)?;
    compile(&root)?;
    let bound = bind(&root.join("target").join(setup::WASM_TARGET).join("script/trac_js.wasm"))?;
    let wasm = optimize(&bound.wasm, &work)?;
    let generated = root.join(GENERATED);
    std::fs::create_dir_all(&generated)?;
    std::fs::write(generated.join("rust.js"), bound.glue)?;
    std::fs::write(generated.join("wasm.js"), format!("export const WASM = \"{}\";\n", printable(&wasm)))?;
    std::fs::write(generated.join("compat.js"), compat(&work)?)?;
    setup::run(Command::new("node").arg(setup::npm_folder()?.join("bundle.js")))?;
    package(&root, &minify("index.js", &work)?)?;
    std::fs::create_dir_all(root.join("dist"))?;
    let mut sizes = String::new();
    let mut too_large = None;
    for (name, limit) in LIMITS {
        let bytes = minify(name, &work)?;
        std::fs::write(root.join("dist").join(name), &bytes)?;
        let brotli_bytes = brotli(&bytes)?;
        sizes.push_str(&size(name, &bytes, brotli_bytes, limit)?);
        print_integrity(name, &bytes);
        if brotli_bytes > limit {
            too_large = Some(format!("{name} is {brotli_bytes} bytes after brotli, more than {limit}"));
        }
    }
    writeln!(sizes, "WebAssembly, before it becomes text: {} raw, {} brotli", wasm.len(), brotli(&wasm)?)?;
    std::fs::write(root.join("trac-js/size.txt"), sizes)?;
    too_large.map_or(Ok(()), |message| Err(message.into()))
}

/// Prints the file's integrity attribute for pages: `integrity="sha384-…"`.
#[expect(clippy::print_stdout, reason = "a task prints to its terminal")]
fn print_integrity(name: &str, bytes: &[u8]) {
    println!("dist/{name}  integrity=\"sha384-{}\"", base64(&sha2::Sha384::digest(bytes)));
}

/// Base64 of a number of bytes divisible by three, such as 48.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks_exact(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for shift in [18, 12, 6, 0] {
            text.extend(DIGITS.get(bits >> shift & 63).copied().map(char::from));
        }
    }
    text
}

fn compile(root: &Path) -> Outcome {
    setup::wasm_target()?;
    // `opt-level = "z"` inlines almost nothing; inlining a little reduces the size.
    setup::run(
        setup::cargo()
            .current_dir(root)
            .env("RUSTFLAGS", "-Cllvm-args=-inline-threshold=50 -Clink-arg=-zstack-size=4096")
            .args([
                "build",
                "--quiet",
                "--package=trac-js",
                "--profile=script",
                "--target",
                setup::WASM_TARGET,
                "--target-dir=target",
            ]),
    )
}

/// The output of bindgen: the module, and the functions that call it.
struct Bound {
    wasm: Vec<u8>,
    /// A JavaScript module: these functions, the memory and the version.
    glue: String,
}

/// Runs bindgen, and shortens the names of exports to a letter or two. There are no imports: JavaScript calls
/// Rust, never the reverse.
fn bind(wasm: &Path) -> Outcome<Bound> {
    let mut output = Bindgen::new()
        .input_path(wasm)
        .bundler(true)?
        .typescript(false)
        .remove_producers_section(true)
        .omit_default_module_path(true)
        .generate_output()?;
    let mut glue = output.start().ok_or("bindgen generated no glue")?.to_owned();
    writeln!(glue, "\nexport const memory = () => wasm.memory;")?;
    writeln!(glue, "export const VERSION = '{}';", env!("CARGO_PKG_VERSION"))?;
    let module = output.wasm_mut();
    drop_unused(module);
    frames::fix(module)?;
    if let Some(import) = module.imports.iter().next() {
        return Err(format!("the script imports {}, but must not import anything", import.name).into());
    }
    let mut exports: Vec<_> = module.exports.iter_mut().collect();
    exports.sort_by_key(|export| std::cmp::Reverse(export.name.len()));
    for (number, export) in exports.into_iter().enumerate() {
        let short = short_name(number);
        glue = glue.replace(&format!("wasm.{}", export.name), &format!("wasm.{short}"));
        export.name = short;
    }
    Ok(Bound { wasm: module.emit_wasm(), glue })
}

/// Removes the references to code that the script does not need, and the code that is then unused.
///
/// A panic only traps, and its message is never shown, so the code that formats messages is removed. Rust and
/// JavaScript exchange only text, so bindgen's table of JavaScript values is removed too, and with it the
/// start function that fills it.
fn drop_unused(module: &mut Module) {
    let is_message = |function: &Function| {
        let message_functions = ["panic_fmt", "alloc_error_handler", "capacity_overflow"];
        function.name.as_deref().is_some_and(|name| message_functions.iter().any(|part| name.contains(part)))
    };
    let formatters: Vec<_> =
        module.funcs.iter().filter(|function| is_message(function)).map(Function::id).collect();
    for id in formatters {
        let function = module.funcs.get(id).kind.unwrap_local();
        let args = function.args.clone();
        let (params, results) = module.types.params_results(function.ty());
        let (params, results) = (params.to_vec(), results.to_vec());
        let mut trap = FunctionBuilder::new(&mut module.types, &params, &results);
        trap.func_body().unreachable();
        module.funcs.get_mut(id).kind = FunctionKind::Local(trap.local_func(args));
    }
    module.start = None;
    let tables: Vec<_> = module
        .exports
        .iter()
        .filter(|export| {
            matches!(export.item, ExportItem::Table(_) | ExportItem::Global(_))
                || export.name == "__wbindgen_start"
        })
        .map(Export::id)
        .collect();
    for id in tables {
        module.exports.delete(id);
    }
    walrus::passes::gc::run(module);
}

/// `a`, `b` … `z`, `aa`, `ba` …
fn short_name(number: usize) -> String {
    let letter = |number: usize| u8::try_from(number % 26).map_or('z', |at| char::from(b'a' + at));
    if number < 26 {
        letter(number).into()
    } else {
        [letter(number), letter(number / 26 - 1)].iter().collect()
    }
}

fn optimize(wasm: &[u8], work: &Path) -> Outcome<Vec<u8>> {
    let (before, after) = (work.join("bound.wasm"), work.join("small.wasm"));
    std::fs::write(&before, wasm)?;
    setup::run(
        Command::new(setup::npm_tool("wasm-opt")?)
            .args([
                "-Oz",
                "--converge",
                "--strip-debug",
                "--strip-producers",
                "--strip-target-features",
                "--vacuum",
            ])
            .args(WASM_FEATURES)
            .arg(&before)
            .arg("-o")
            .arg(&after),
    )?;
    Ok(std::fs::read(after)?)
}

/// The WebAssembly as JavaScript, for pages whose policy blocks WebAssembly: a module whose function
/// `instantiate` returns the exports.
fn compat(work: &Path) -> Outcome<String> {
    let after = work.join("compat.js");
    setup::run(
        Command::new(setup::npm_tool("wasm2js")?)
            .arg("-Oz")
            .args(WASM_FEATURES.iter().filter(|feature| !feature.contains("reference-types")))
            .arg(work.join("small.wasm"))
            .arg("-o")
            .arg(&after),
    )?;
    let module = std::fs::read_to_string(after)?;
    let body = module.split_once("var retasmFunc = ").ok_or("the output of wasm2js has another form now")?.0;
    Ok(format!("export const instantiate = () => {{\n{body}\nreturn asmFunc();\n}};\n"))
}

/// The npm package in `dist/npm`: the script as a module that is started by a function call, its type
/// declarations, and the React hook.
fn package(root: &Path, module: &[u8]) -> Outcome {
    let folder = root.join("dist/npm");
    std::fs::create_dir_all(&folder)?;
    for file in std::fs::read_dir(root.join("trac-js/npm"))? {
        let file = file?;
        std::fs::copy(file.path(), folder.join(file.file_name()))?;
    }
    std::fs::write(folder.join("index.js"), module)?;
    Ok(())
}

/// Minifies a file made by `bundle.js`.
fn minify(name: &str, work: &Path) -> Outcome<Vec<u8>> {
    let after = work.join("small.js");
    setup::run(
        Command::new(setup::npm_tool("terser")?)
            .arg(work.join(name))
            .args(["--ecma", "2020", "--module", "--mangle", "--output"])
            .arg(&after)
            .args(["--compress", "passes=3,ecma=2020,unsafe_arrows=true,pure_getters=true"]),
    )?;
    Ok(std::fs::read(after)?)
}

/// Bytes as printable ASCII, which survives a wrong charset, for `js/script.js` to read: a byte is a digit of
/// base 88, after one of two marks if it is 88 or more. Compressed, this takes 3 % more than the bytes;
/// base64 takes a third more, because its digits do not align with bytes.
fn printable(bytes: &[u8]) -> String {
    // From `#` on, which excludes the quotation mark, and without the backslash.
    let letter = |value: u8| char::from(value + b'#' + u8::from(value + b'#' >= b'\\'));
    let mut text = String::new();
    for byte in bytes {
        if *byte >= 88 {
            text.push(letter(87 + byte / 88));
        }
        text.push(letter(byte % 88));
    }
    text
}

/// The sizes of a file, for `size.txt`.
fn size(name: &str, script: &[u8], brotli: usize, limit: usize) -> Outcome<String> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(script)?;
    let gzip = gzip.finish()?.len();
    Ok(format!(
        "dist/{name}, in bytes\nraw     {}\ngzip    {gzip}\nbrotli  {brotli} of {limit}\n\n",
        script.len()
    ))
}

fn brotli(bytes: &[u8]) -> Outcome<usize> {
    let mut brotli = Vec::new();
    let best = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut &*bytes, &mut brotli, &best)?;
    Ok(brotli.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_text_reads_back_as_the_bytes() {
        // The decoder of `js/script.js`.
        let read = |text: &str| {
            let (mut bytes, mut above) = (Vec::new(), 0);
            for letter in text.bytes() {
                let digit = letter - b'#' - u8::from(letter > b'\\');
                if digit > 87 {
                    above = (digit - 87) * 88;
                } else {
                    bytes.push(digit + std::mem::take(&mut above));
                }
            }
            bytes
        };
        let all: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
        let text = printable(&all);
        assert_eq!(read(&text), all);
        assert!(text.bytes().all(|letter| letter.is_ascii_graphic() && letter != b'"' && letter != b'\\'));
    }

    #[test]
    fn base64_equals_the_standard_encoding() {
        assert_eq!(base64(b"ManMan\xff\xfe\xfd"), "TWFuTWFu//79");
    }

    #[test]
    fn short_names_are_all_different() {
        let names: std::collections::BTreeSet<_> = (0..500).map(short_name).collect();
        assert_eq!(names.len(), 500);
        assert_eq!(
            (short_name(0), short_name(25), short_name(26), short_name(53)),
            ("a".into(), "z".into(), "aa".into(), "bb".into())
        );
    }
}
