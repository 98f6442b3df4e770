//! Compresses the script and embeds it in the server. `cargo xtask build-script` makes the script; a server
//! built without it works and logs that the script is missing.

#[cfg(feature = "server")]
mod script {
    use std::error::Error;
    use std::io::Write as _;
    use std::path::Path;
    use std::{env, fs};

    const FILES: [&str; 3] = ["trac.js", "trac.compat.js", "trac-verify.js"];

    pub(super) fn bake() -> Result<(), Box<dyn Error>> {
        println!("cargo:rerun-if-changed=build.rs");
        let dist = Path::new("../dist");
        // Created if it is missing, because cargo reruns the build script every time if a watched path does not exist.
        if Path::new("../xtask").is_dir() {
            fs::create_dir_all(dist)?;
            println!("cargo:rerun-if-changed=../dist");
        }
        let out = env::var("OUT_DIR")?;
        for name in FILES {
            let script = fs::read(dist.join(name)).unwrap_or_default();
            if script.is_empty() {
                println!(
                    "cargo:warning=dist/{name} is missing: this server will answer 503 for it. Run: cargo xtask build-script"
                );
            }
            write_compressed(&script, &Path::new(&out).join(name))?;
        }
        Ok(())
    }

    /// Writes the file uncompressed, and compressed as `.br` and `.gz`.
    fn write_compressed(bytes: &[u8], file: &Path) -> Result<(), Box<dyn Error>> {
        let mut brotlied = Vec::new();
        let settings = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
        brotli::BrotliCompress(&mut &*bytes, &mut brotlied, &settings)?;
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(bytes)?;
        fs::write(file, bytes)?;
        fs::write(file.with_added_extension("br"), brotlied)?;
        fs::write(file.with_added_extension("gz"), gzip.finish()?)?;
        Ok(())
    }
}

#[cfg(feature = "server")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    script::bake()
}

#[cfg(not(feature = "server"))]
const fn main() {}
