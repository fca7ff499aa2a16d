//! Instruction sets, chosen at run time.

/// The instructions that functions may use. A value exists only for instructions that this CPU has, which makes the calls sound.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Isa(pub(crate) Level);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    Generic,
    #[cfg(target_arch = "x86_64")]
    Sse2,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl Isa {
    /// Slowest first.
    pub fn supported() -> Vec<Isa> {
        #[allow(unused_mut)]
        let mut levels = vec![Level::Generic];
        #[cfg(target_arch = "x86_64")]
        {
            levels.push(Level::Sse2); // part of x86-64
            if is_x86_feature_detected!("avx2") {
                levels.push(Level::Avx2);
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                    levels.push(Level::Avx512);
                    if is_x86_feature_detected!("avx512vnni") {
                        levels.push(Level::Vnni);
                    }
                }
            }
        }
        levels.into_iter().map(Isa).collect()
    }

    pub fn best() -> Isa {
        Isa::supported().pop().unwrap_or(Isa(Level::Generic))
    }

    /// `None` if the name is unknown or this CPU does not support it.
    pub fn by_name(name: &str) -> Option<Isa> {
        Isa::supported().into_iter().find(|isa| isa.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self.0 {
            Level::Generic => "generic",
            #[cfg(target_arch = "x86_64")]
            Level::Sse2 => "sse2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Level::Vnni => "vnni",
        }
    }
}

/// Defines `$name(isa, …)`, which runs `$body(…)` compiled for the CPU's widest vectors. The compiler never contracts or reorders
/// float operations, so every version returns the same bits.
macro_rules! multiversion {
    ($(#[$doc:meta])* $visibility:vis fn $name:ident = $body:ident($($argument:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $visibility fn $name(isa: $crate::isa::Isa, $($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw")]
                fn avx512($($argument: $type),*) {
                    $body($($argument),*);
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) {
                    $body($($argument),*);
                }
                use $crate::isa::Level;
                match isa.0 {
                    // SAFETY: an `Isa` exists only if the CPU supports it.
                    Level::Vnni | Level::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($argument),*) },
                    Level::Sse2 | Level::Generic => {}
                }
            }
            let _ = isa;
            $body($($argument),*);
        }
    };
}
pub(crate) use multiversion;
