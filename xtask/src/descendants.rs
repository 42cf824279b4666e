//! Termination of every process that came from this one.
//!
//! Ending the process group of each child is not enough. A browser's driver and Playwright put the
//! browser into a group of its own. A process whose parent has ended belongs to nobody's tree.
//! Linux therefore adopts orphans, and every Unix ends the whole tree from its parents down.

#[cfg(unix)]
pub use unix::{adopt_orphans, end};
#[cfg(windows)]
pub use windows::{adopt_orphans, end};

#[cfg(unix)]
mod unix {
    use std::thread::sleep;
    use std::time::{Duration, Instant};

    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
    use nix::unistd::Pid;

    /// Time that processes have to end by themselves.
    const GRACE: Duration = Duration::from_secs(5);
    const POLL: Duration = Duration::from_millis(50);

    /// Makes processes whose parent ends children of this one.
    pub fn adopt_orphans() {
        #[cfg(target_os = "linux")]
        // A kernel that refuses leaves orphans to init: only those whose parents live are then
        // found.
        let _ = nix::sys::prctl::set_child_subreaper(true);
    }

    /// Asks all descendants of this process to end, and kills those that don't. `_children` are
    /// among them.
    pub fn end(_children: &[u32]) {
        let start = Instant::now();
        let mut asked = Vec::new();
        loop {
            collect();
            let left = of(std::process::id());
            if left.is_empty() {
                return;
            }
            let signal = if start.elapsed() < GRACE {
                Signal::SIGTERM
            } else {
                Signal::SIGKILL
            };
            for &process in &left {
                if signal == Signal::SIGKILL || !asked.contains(&process) {
                    // It may have ended since it was looked up.
                    let _ = kill(Pid::from_raw(process as i32), signal);
                    asked.push(process);
                }
            }
            if start.elapsed() > 2 * GRACE {
                return;
            }
            sleep(POLL);
        }
    }

    /// Reaps ended processes: if nobody does so later, they would stay listed.
    fn collect() {
        let anyone = Pid::from_raw(-1);
        while waitpid(anyone, Some(WaitPidFlag::WNOHANG))
            .is_ok_and(|status| status != WaitStatus::StillAlive)
        {}
    }

    /// All living processes below `root`, parents before their children.
    fn of(root: u32) -> Vec<u32> {
        let parents = living();
        let mut found = vec![root];
        let mut next = 0;
        while let Some(&parent) = found.get(next) {
            next += 1;
            let children = parents
                .iter()
                .filter(|(_, its_parent)| *its_parent == parent);
            found.extend(children.map(|(process, _)| *process));
        }
        found.split_off(1)
    }

    /// Every process that has not ended, with its parent.
    #[cfg(target_os = "linux")]
    fn living() -> Vec<(u32, u32)> {
        let Ok(entries) = std::fs::read_dir("/proc") else {
            return Vec::new();
        };
        let processes = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        processes
            .filter_map(|process: u32| {
                let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
                Some((process, living_parent(&stat)?))
            })
            .collect()
    }

    /// The parent in a line of `/proc/ID/stat`, unless the process has ended and only waits to be
    /// collected.
    #[cfg(target_os = "linux")]
    fn living_parent(stat: &str) -> Option<u32> {
        // The name, in parentheses, may itself hold spaces and parentheses.
        let (_, after_name) = stat.rsplit_once(')')?;
        let mut fields = after_name.split_whitespace();
        let state = fields.next()?;
        if state == "Z" || state == "X" {
            None
        } else {
            fields.next()?.parse().ok()
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn living() -> Vec<(u32, u32)> {
        let Ok(listed) = std::process::Command::new("ps")
            .args(["-axo", "pid=,ppid=,stat="])
            .output()
        else {
            return Vec::new();
        };
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        let lines = listed.lines().filter_map(|line| {
            let mut fields = line.split_whitespace();
            let process = fields.next()?.parse().ok()?;
            let parent = fields.next()?.parse().ok()?;
            (!fields.next()?.starts_with('Z')).then_some((process, parent))
        });
        lines.collect()
    }

    #[cfg(test)]
    mod tests {
        use std::process::{Command, Stdio};

        #[test]
        #[cfg(target_os = "linux")]
        fn a_name_with_parentheses_does_not_hide_the_parent() {
            assert_eq!(super::living_parent("12 (a) b (c)) S 7 12 12 0"), Some(7));
            assert_eq!(super::living_parent("12 (gone) Z 7 12 12 0"), None);
            assert_eq!(super::living_parent("12"), None);
        }

        #[test]
        fn grandchildren_are_found() {
            let mut shell = Command::new("sh")
                .args(["-c", "sleep 60 & echo $!; wait"])
                .stdout(Stdio::piped())
                .spawn()
                .expect("a Unix has sh");
            let mut line = String::new();
            let stdout = shell.stdout.take().expect("it was piped");
            std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line)
                .expect("it prints an id");
            let sleeper: u32 = line.trim().parse().expect("an id");

            let found = super::of(std::process::id());
            assert!(found.contains(&shell.id()), "{found:?}");
            assert!(found.contains(&sleeper), "{found:?}");
            assert!(super::of(shell.id()).contains(&sleeper));

            for process in [shell.id(), sleeper] {
                let _ = super::kill(super::Pid::from_raw(process as i32), super::Signal::SIGKILL);
            }
            shell.wait().expect("it was started above");
            assert!(!super::of(std::process::id()).contains(&shell.id()));
        }
    }
}

#[cfg(windows)]
mod windows {
    use std::process::{Command, Stdio};

    pub fn adopt_orphans() {}

    /// Ends the children with all that they have started.
    pub fn end(children: &[u32]) {
        for child in children {
            let mut command = Command::new("taskkill");
            command
                .args(["/T", "/F", "/PID", &child.to_string()])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            // It may have ended by itself.
            let _ = command.status();
        }
    }
}
