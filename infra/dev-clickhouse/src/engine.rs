//! The engine behind a C interface.
//!
//! In scope: loading `libchdb.so` and calling it; the only unsafe code of the workspace. Out of scope: what it is asked to do.
#![expect(unsafe_code, reason = "a C library loaded at run time cannot be called otherwise")]

use std::ffi::{CStr, CString, NulError, c_char, c_int, c_void};
use std::path::{Path, PathBuf};

use libloading::{Library, Symbol};

/// Runs one clickhouse-local command line to its end; the result belongs to the caller.
type QueryCommandLine = unsafe extern "C" fn(c_int, *mut *mut c_char) -> *mut c_void;
/// The error text of a result, or null. Lives as long as the result.
type ResultError = unsafe extern "C" fn(*mut c_void) -> *const c_char;
/// 0: the engine installs no signal handlers of its own.
type SetSignalHandlers = unsafe extern "C" fn(c_int);

#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("cannot load {path} (`npm ci` installs it as node_modules/@chdb/lib-linux-x64-gnu/libchdb.so)")]
    Load { path: PathBuf, source: libloading::Error },
    #[error("expected libchdb 26.7 or later, found a library without a needed function")]
    Symbol(#[source] libloading::Error),
    #[error("expected arguments without a zero byte, found one")]
    Argument(#[from] NulError),
    #[error("expected the engine to run until a signal, found it ended: {0}")]
    Ended(String),
}

/// The loaded library. It is never unloaded: its threads may outlive any call.
pub(crate) struct Engine {
    library: &'static Library,
}

impl Engine {
    pub(crate) fn load(path: &Path) -> Result<Self, EngineError> {
        // SAFETY: loading runs the library's initialisers, which is what the operator asked for by naming the file.
        let library = unsafe { Library::new(path) };
        let library = library.map_err(|source| EngineError::Load { path: path.to_owned(), source })?;
        Ok(Self { library: Box::leak(Box::new(library)) })
    }

    /// Runs `arguments` to the end. An end that `is_expected` does not explain is an error.
    pub(crate) fn serve(&self, arguments: &[String], is_expected: impl Fn() -> bool) -> Result<(), EngineError> {
        let set_signal_handlers: Symbol<'_, SetSignalHandlers> = self.symbol(c"chdb_set_signal_handlers_enabled")?;
        let query: Symbol<'_, QueryCommandLine> = self.symbol(c"chdb_query_cmdline")?;
        let result_error: Symbol<'_, ResultError> = self.symbol(c"chdb_result_error")?;
        let owned: Vec<CString> = arguments.iter().map(|text| CString::new(text.as_str())).collect::<Result<_, _>>()?;
        let mut pointers: Vec<*mut c_char> = owned.iter().map(|text| text.as_ptr().cast_mut()).collect();
        let count = c_int::try_from(pointers.len()).expect("a dozen arguments fit in an int");
        // SAFETY: the signatures are those of chdb.h; `owned` and `pointers` outlive the call; the engine does not write to them.
        let result = unsafe {
            set_signal_handlers(0);
            query(count, pointers.as_mut_ptr())
        };
        if is_expected() {
            return Ok(());
        }
        Err(EngineError::Ended(error_text(result, *result_error)))
    }

    fn symbol<T>(&self, name: &CStr) -> Result<Symbol<'static, T>, EngineError> {
        // SAFETY: every caller asks for the type that chdb.h declares for the name.
        unsafe { self.library.get(name.to_bytes_with_nul()) }.map_err(EngineError::Symbol)
    }
}

fn error_text(result: *mut c_void, result_error: ResultError) -> String {
    if result.is_null() {
        return "no result".to_owned();
    }
    // SAFETY: `result` came from the engine and was not freed; the text is read before anything else happens to it.
    let text = unsafe { result_error(result) };
    if text.is_null() {
        return "no error given".to_owned();
    }
    // SAFETY: chdb.h promises a null-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
