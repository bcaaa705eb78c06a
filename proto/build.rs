//! Compiles the `.proto` files without `protoc`: `protox` is a compiler in Rust.

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=vedette");
    let bus = protox::compile(["vedette/bus/v1/bus.proto"], ["."])?;
    let mut config = prost_build::Config::new();
    // Much larger than the others of its kind.
    config.boxed(".vedette.bus.v1.DeadLetter.origin.alert");
    config.bytes(["."]).btree_map(["."]).compile_fds(bus)?;

    let rules = ["vedette/rules/v1/distribution.proto", "vedette/rules/v1/management.proto"];
    let rules = protox::compile(rules, ["."])?;
    // What the reflection service shows.
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("vedette.rules.v1.bin"), rules.encode_to_vec())?;
    tonic_prost_build::configure().bytes(".").btree_map(".").compile_fds(rules)?;
    Ok(())
}
