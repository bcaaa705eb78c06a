//! Compiles the `.proto` files without `protoc`: `protox` is a compiler in Rust.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = protox::compile(["vedette/bus/v1/bus.proto"], ["."])?;
    println!("cargo:rerun-if-changed=vedette");
    prost_build::Config::new().bytes(["."]).btree_map(["."]).compile_fds(files)?;
    Ok(())
}
