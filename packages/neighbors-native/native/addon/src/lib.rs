//! Node binding of rarefy-join. It checks arguments only as far as memory safety needs; the TypeScript side checks the rest.
use napi::bindgen_prelude::*;
use napi_derive::napi;
use rarefy_join::{Error as JoinError, Isa, Metric, Options, Progress, self_join};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[napi(object)]
pub struct JoinOptions {
    pub rows: u32,
    pub cols: u32,
    pub k: u32,
    pub metric: String,
    pub threads: u32,
    pub instruction_set: Option<String>,
}

#[napi(object)]
pub struct Joined {
    pub ids: Int32Array,
    pub distances: Float32Array,
    pub full_scans: u32,
    pub distinct_rows: u32,
}

/// The values of `instruction_set` that this CPU supports, slowest first.
#[napi]
pub fn instruction_sets() -> Vec<&'static str> {
    Isa::supported().into_iter().map(Isa::name).collect()
}

/// One join.
#[napi]
#[derive(Default)]
pub struct Job {
    abort: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

#[napi]
impl Job {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `run` reject within milliseconds.
    #[napi]
    pub fn abort(&self) {
        self.abort.store(true, Relaxed);
    }

    /// Finished share of the work, from 0 to 1.
    #[napi]
    pub fn progress(&self) -> f64 {
        self.progress.share()
    }

    /// Reads `data` in place, on other threads, until the promise settles. An error message begins with the kind of error.
    #[napi(ts_return_type = "Promise<Joined>")]
    pub fn run(&self, data: Float32Array, options: JoinOptions) -> AsyncTask<JoinTask> {
        AsyncTask::new(JoinTask { data, options, abort: self.abort.clone(), progress: self.progress.clone() })
    }
}

pub struct JoinTask {
    data: Float32Array,
    options: JoinOptions,
    abort: Arc<AtomicBool>,
    progress: Arc<Progress>,
}

impl Task for JoinTask {
    type Output = Joined;
    type JsValue = Joined;

    fn compute(&mut self) -> Result<Joined> {
        // A panic must not cross into Node.
        catch_unwind(AssertUnwindSafe(|| self.join())).unwrap_or_else(|_| Err(Error::from_reason("panic")))
    }

    fn resolve(&mut self, _: Env, joined: Joined) -> Result<Joined> {
        Ok(joined)
    }
}

impl JoinTask {
    fn join(&self) -> Result<Joined> {
        let JoinOptions { rows, cols, k, metric, threads, instruction_set } = &self.options;
        let metric = match metric.as_str() {
            "euclidean" => Metric::Euclidean,
            "cosine" => Metric::Cosine,
            "dot" => Metric::Dot,
            _ => return Err(Error::from_reason("metric")),
        };
        let isa = match instruction_set {
            Some(name) => Isa::by_name(name).ok_or_else(|| Error::from_reason("instruction-set"))?,
            None => Isa::best(),
        };
        let options =
            Options { k: *k as usize, metric, threads: *threads as usize, isa, dedupe: true, abort: &self.abort, progress: &self.progress };
        match self_join(&self.data, *rows as usize, *cols as usize, &options) {
            Ok(graph) => Ok(Joined {
                ids: graph.ids.into(),
                distances: graph.distances.into(),
                full_scans: graph.full_scans as u32,
                distinct_rows: graph.distinct_rows as u32,
            }),
            Err(JoinError::Shape) => Err(Error::from_reason("shape")),
            Err(JoinError::NotFinite(row)) => Err(Error::from_reason(format!("not-finite {row}"))),
            Err(JoinError::OutOfMemory) => Err(Error::from_reason("out-of-memory")),
            Err(JoinError::Aborted) => Err(Error::from_reason("aborted")),
        }
    }
}
