//! The files of the page, which are in this program.

/// A file that a browser asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    path: &'static str,
    pub(super) kind: &'static str,
    pub(super) body: &'static str,
    /// Whether it takes a token to see it. The scripts hold nothing of anybody's.
    pub(super) is_secret: bool,
}

const fn script(path: &'static str, body: &'static str) -> File {
    File { path, kind: "text/javascript; charset=utf-8", body, is_secret: false }
}

const FILES: [File; 9] = [
    File {
        path: "/",
        kind: "text/html; charset=utf-8",
        body: include_str!("page/view.html"),
        is_secret: true,
    },
    File {
        path: "/view.css",
        kind: "text/css; charset=utf-8",
        body: include_str!("page/view.css"),
        is_secret: false,
    },
    script("/main.js", include_str!("page/main.js")),
    script("/connection.js", include_str!("page/connection.js")),
    script("/cdr.js", include_str!("page/cdr.js")),
    script("/scene.js", include_str!("page/scene.js")),
    script("/picture.js", include_str!("page/picture.js")),
    script("/fields.js", include_str!("page/fields.js")),
    script("/plot.js", include_str!("page/plot.js")),
];

pub(super) fn file(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}
