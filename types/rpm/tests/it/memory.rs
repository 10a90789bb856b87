//! A generated file in memory.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use parking_lot::Mutex;
use pith_content::publish::GeneratedFile;
use pith_core::digest::Hashed;
use pith_core::{Algorithm, MultiHasher, Sha256};

pub struct MemoryFile {
    pub bytes: Vec<u8>,
    pub also: Vec<Algorithm>,
    pub blobs: Arc<Mutex<HashMap<Sha256, Vec<u8>>>>,
}

impl Write for MemoryFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl GeneratedFile for MemoryFile {
    fn finish(self: Box<Self>) -> std::io::Result<Hashed> {
        let mut hasher = MultiHasher::new(&self.also);
        hasher.update(&self.bytes);
        let hashed = hasher.finish();
        self.blobs.lock().insert(hashed.sha256, self.bytes);
        Ok(hashed)
    }
}
