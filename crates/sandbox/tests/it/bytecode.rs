//! Compiling packages and code inside the sandbox.

use sandbox::Limits;

use crate::harness::{Bench, limits, readable_folder};

#[tokio::test(flavor = "multi_thread")]
async fn compiling_puts_bytecode_beside_the_sources_and_executes_nothing() {
    let bench = Bench::new().await;
    let folder = readable_folder();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    std::fs::create_dir(folder.path().join("pkg")).unwrap();
    write("pkg/__init__.py", "open('/tmp/executed', 'w')\nraise SystemExit\n");
    write("pkg/broken.py", "def (:\n");
    write("single.py", "X = 1\n");
    write("evil.pth", "import os; os.system('touch /tmp/executed')\n");
    let compiled = bench
        .template
        .compile(folder.path(), Limits { memory_bytes: 1 << 30, ..limits() })
        .await
        .unwrap();
    assert_eq!(compiled.written, 2);
    assert_eq!(compiled.failed.len(), 1);
    assert_eq!(compiled.failed[0].0, "pkg/broken.py");
    let cache = |folder: &std::path::Path| -> Vec<String> {
        let entries = std::fs::read_dir(folder.join("__pycache__")).unwrap().flatten();
        entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    assert_eq!(cache(folder.path()).len(), 1);
    assert!(cache(&folder.path().join("pkg"))[0].starts_with("__init__.cpython-3"));
    // Compiling again replaces what is there.
    assert_eq!(bench.template.compile(folder.path(), limits()).await.unwrap().written, 2);
    bench.still_sound().await;
}
