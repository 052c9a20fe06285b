fn main() {
    // The page is embedded while compiling, so a new page is a reason to compile again.
    println!("cargo:rerun-if-changed=../ui/dist");
    tauri_build::build();
}
