//! A static file server for one folder, on this machine only.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, anyhow};
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

/// A page asks for several files at once.
const THREADS: usize = 8;

/// Serves `folder` until the program ends.
pub fn serve(listener: TcpListener, folder: &Path) -> Result<()> {
    let folder = folder
        .canonicalize()
        .with_context(|| format!("{} is not there", folder.display()))?;
    let server = Server::from_listener(listener, None).map_err(|error| anyhow!("{error}"))?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Ok(request) = server.recv() {
                    // The browser may have gone away before its answer: that is its affair.
                    let _ = answer(request, &folder);
                }
            });
        }
    });
    Ok(())
}

fn answer(request: Request, folder: &Path) -> std::io::Result<()> {
    if !matches!(request.method(), Method::Get | Method::Head) {
        return request.respond(Response::empty(StatusCode(405)));
    }
    let Some(path) = locate(folder, request.url()) else {
        return request.respond(Response::from_string("not found\n").with_status_code(404));
    };
    let response = Response::from_file(File::open(&path)?)
        .with_chunked_threshold(usize::MAX) // so that the length is sent, and progress can be shown
        .with_header(header("Content-Type", media_type(&path)))
        .with_header(header("X-Content-Type-Options", "nosniff"))
        .with_header(header("Cache-Control", "no-cache"));
    request.respond(response)
}

#[expect(
    clippy::expect_used,
    reason = "every name and value given is printable ASCII, which is all it checks"
)]
fn header(name: &'static str, value: &'static str) -> Header {
    Header::from_bytes(name, value).expect("a constant header")
}

/// The file of `folder` that `url` names; none outside of it.
fn locate(folder: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next()?;
    let mut file = folder.to_path_buf();
    for part in decode(path)?
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
    {
        if part == ".." || part.contains(['\\', ':', '\0']) {
            return None;
        }
        file.push(part);
    }
    if file.is_dir() {
        file.push("index.html");
    }
    // A link may still lead out.
    let file = file.canonicalize().ok()?;
    (file.is_file() && file.starts_with(folder)).then_some(file)
}

/// Undoes a URL's percent-encoding; none if it is not valid, or not UTF-8.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let value = digits.map(|digit| char::from(digit).to_digit(16));
            bytes.push((value[0]? * 16 + value[1]?) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn media_type(path: &Path) -> &'static str {
    match path
        .extension()
        .and_then(|extension| extension.to_str())
        .unwrap_or_default()
    {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::{env, fs};

    use super::*;

    /// A folder with a page, next to a file that is not to be had; removed when dropped.
    struct Page {
        outer: PathBuf,
        folder: PathBuf,
    }

    impl Page {
        fn new(test: &str) -> Self {
            let name = format!("kvscope-serve-{test}-{}", std::process::id());
            let outer = env::temp_dir().join(name);
            let folder = outer.join("page");
            fs::create_dir_all(folder.join("assets")).expect("the temporary folder can be written");
            fs::write(outer.join("secret.txt"), "secret").expect("as above");
            fs::write(folder.join("index.html"), "<p>page").expect("as above");
            fs::write(folder.join("assets").join("a b.wasm"), b"\0asm").expect("as above");
            #[cfg(unix)]
            std::os::unix::fs::symlink(outer.join("secret.txt"), folder.join("link.txt"))
                .expect("as above");
            let folder = folder.canonicalize().expect("it was made above");
            Self { outer, folder }
        }
    }

    impl Drop for Page {
        fn drop(&mut self) {
            // What is left of a failed test is the temporary folder's to forget.
            let _ = fs::remove_dir_all(&self.outer);
        }
    }

    #[test]
    fn urls_name_files() {
        let page = Page::new("urls");
        let folder = page.folder.as_path();
        for url in ["/", "/index.html", "/?a=b", "//./index.html#part"] {
            assert_eq!(
                locate(folder, url),
                Some(folder.join("index.html")),
                "{url}"
            );
        }
        assert_eq!(
            locate(folder, "/assets/a%20b.wasm"),
            Some(folder.join("assets").join("a b.wasm"))
        );
    }

    #[test]
    fn nothing_outside_is_served() {
        let urls = [
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/assets/../../secret.txt",
            "/..%2fsecret.txt",
            "/..\\secret.txt",
            "/%5c..%5csecret.txt",
            "/link.txt",
            "/assets",
            "/missing",
            "/%",
            "/%zz",
            "/%ff",
            "/index.html%00",
            "/C:/Windows",
        ];
        let page = Page::new("outside");
        for url in urls {
            assert_eq!(locate(&page.folder, url), None, "{url}");
        }
    }

    #[test]
    fn a_module_is_sent_as_one() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("some port is free");
        let address = listener.local_addr().expect("it is bound");
        let page = Page::new("module");
        let folder = page.folder.clone();
        thread::spawn(move || serve(listener, &folder));
        let ask = |request: &str| {
            let mut stream = TcpStream::connect(address).expect("it listens");
            write!(
                stream,
                "{request} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"
            )
            .expect("it reads");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).expect("it closes");
            String::from_utf8_lossy(&answer).into_owned()
        };

        let module = ask("GET /assets/a%20b.wasm");
        assert!(module.starts_with("HTTP/1.1 200"), "{module}");
        assert!(
            module.contains("Content-Type: application/wasm"),
            "{module}"
        );
        assert!(module.contains("Content-Length: 4"), "{module}");
        assert!(module.ends_with("\0asm"), "{module}");
        assert!(ask("GET /missing").starts_with("HTTP/1.1 404"));
        assert!(ask("POST /").starts_with("HTTP/1.1 405"));
    }
}
