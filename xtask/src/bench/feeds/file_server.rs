//! The least that can be done: a server that answers every request with one file. In scope: a floor to compare with.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::Result;

/// Runs until it is dropped.
pub(super) struct FileServer {
    address: SocketAddr,
    is_stopped: Arc<AtomicBool>,
}

impl FileServer {
    pub(super) fn start(file: &Path) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let server = Self { address: listener.local_addr()?, is_stopped: Arc::new(AtomicBool::new(false)) };
        let (file, is_stopped): (PathBuf, _) = (file.to_owned(), Arc::clone(&server.is_stopped));
        thread::spawn(move || {
            for stream in listener.incoming().flatten().take_while(|_| !is_stopped.load(Relaxed)) {
                // A reader that sees less than the promised length says so.
                let _ = answer(stream, &file);
            }
        });
        Ok(server)
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.is_stopped.store(true, Relaxed);
        // Wakes the listener, which then sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

/// On Linux the copy is done by sendfile, inside the kernel.
fn answer(mut stream: TcpStream, file: &Path) -> io::Result<u64> {
    let mut request = [0; 4096];
    let _head = stream.read(&mut request)?;
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    io::copy(&mut file, &mut stream)
}
