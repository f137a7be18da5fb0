//! Texts of real systems, as the kernel and the distributions write them.

use std::time::Duration;

use domain::Timestamp;

use super::facts::{
    Calculated, Calculation, CgroupFolder, Clock, Disk, Facts, Host, MapProgram, Place, Python,
    Pythons, Uv,
};

/// A server with Debian 12, logged in as root over SSH.
pub(super) fn debian_12_root() -> Host {
    Host {
        release: "6.1.0-28-amd64".into(),
        machine: "x86_64".into(),
        os_release: "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n".into(),
        uid: 0,
        with_systemd: true,
        program: "/opt/mecapy/mecapy".into(),
        status: "Name:\tmecapy\nNoNewPrivs:\t0\nSeccomp:\t0\nSeccomp_filters:\t0\n".into(),
        mountinfo: "\
24 30 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
30 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
33 24 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n".into(),
        own_cgroup: "0::/user.slice/user-0.slice/session-3.scope\n".into(),
        cgroups: [folder(
            "/sys/fs/cgroup/user.slice/user-0.slice/session-3.scope",
            "cpuset cpu io memory pids\n",
            true,
        )]
        .into(),
        namespaces: ["cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "user", "uts"]
            .map(str::to_owned)
            .into(),
        sysctls: [("user.max_user_namespaces", "63432\n".to_owned())].into(),
        seccomp_actions: "kill_process kill_thread trap errno user_notif trace log allow\n".into(),
        apparmor: "unconfined\n".into(),
        uid_map: "         0          0 4294967295\n".into(),
        gid_map: "         0          0 4294967295\n".into(),
        passwd: "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\nada:x:1000:1000:Ada:/home/ada:/bin/bash\n".into(),
        group: "root:x:0:\nnogroup:x:65534:\nada:x:1000:\n".into(),
        subuid: "ada:100000:65536\n".into(),
        subgid: "ada:100000:65536\n".into(),
        newuidmap: privileged("/usr/bin/newuidmap"),
        newgidmap: privileged("/usr/bin/newgidmap"),
        first_uid: 1_900_000_000,
        ..Host::default()
    }
}

/// Ubuntu 24.04 over SSH, where AppArmor restricts user namespaces.
pub(super) fn ubuntu_24_04_user() -> Host {
    let own = "/user.slice/user-1000.slice/session-7.scope";
    let mut host = Host {
        release: "6.8.0-51-generic".into(),
        os_release: "PRETTY_NAME=\"Ubuntu 24.04.1 LTS\"\nID=ubuntu\nID_LIKE=debian\n".into(),
        uid: 1000,
        own_cgroup: format!("0::{own}\n"),
        cgroups: [folder(&format!("/sys/fs/cgroup{own}"), "cpu memory pids\n", false)].into(),
        ..debian_12_root()
    };
    host.sysctls.insert("kernel.unprivileged_userns_clone", "1\n".into());
    host.sysctls.insert("kernel.apparmor_restrict_unprivileged_userns", "1\n".into());
    host
}

/// A container as `docker run debian:12` starts it where no control groups
/// are mounted.
pub(super) fn container_without_cgroups() -> Host {
    Host {
        in_container: true,
        with_systemd: false,
        status: "Name:\tmecapy\nNoNewPrivs:\t0\nSeccomp:\t2\nSeccomp_filters:\t1\n".into(),
        mountinfo: "612 480 0:62 / / rw,relatime master:211 - overlay overlay rw,lowerdir=/l\n613 612 0:65 / /proc rw,nosuid - proc proc rw\n".into(),
        own_cgroup: "0::/\n".into(),
        cgroups: [].into(),
        ..debian_12_root()
    }
}

/// The kernel of Windows, which mounts control groups in both generations.
pub(super) fn wsl_2_root() -> Host {
    let v1 = "/sys/fs/cgroup/";
    Host {
        release: "5.15.167.4-microsoft-standard-WSL2".into(),
        with_systemd: false,
        mountinfo: "\
40 30 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,mode=755
41 40 0:29 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime - cgroup2 cgroup2 rw,nsdelegate
42 40 0:30 / /sys/fs/cgroup/cpu rw,nosuid,nodev,noexec,relatime - cgroup cgroup rw,cpu
43 40 0:31 / /sys/fs/cgroup/cpuacct rw,nosuid,nodev,noexec,relatime - cgroup cgroup rw,cpuacct
44 40 0:32 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime - cgroup cgroup rw,memory
45 40 0:33 / /sys/fs/cgroup/pids rw,nosuid,nodev,noexec,relatime - cgroup cgroup rw,pids\n"
            .into(),
        own_cgroup: "4:pids:/\n3:memory:/\n2:cpuacct:/\n1:cpu:/\n0::/\n".into(),
        cgroups: ["unified/", "cpu", "cpuacct", "memory", "pids"]
            .map(|name| folder(&format!("{v1}{name}"), "", true))
            .into(),
        ..debian_12_root()
    }
}

/// CentOS 7, whose kernel is too old for everything.
pub(super) fn old_kernel() -> Host {
    Host {
        release: "3.10.0-1160.119.1.el7.x86_64".into(),
        os_release:
            "PRETTY_NAME=\"CentOS Linux 7 (Core)\"\nID=\"centos\"\nID_LIKE=\"rhel fedora\"\n".into(),
        namespaces: ["ipc", "mnt", "net", "pid", "user", "uts"].map(str::to_owned).into(),
        sysctls: [("user.max_user_namespaces", "0\n".to_owned())].into(),
        seccomp_actions: String::new(),
        ..wsl_2_root()
    }
}

fn folder(path: &str, controllers: &str, writable: bool) -> (std::path::PathBuf, CgroupFolder) {
    (path.into(), CgroupFolder { controllers: controllers.into(), writable })
}

fn privileged(path: &str) -> MapProgram {
    MapProgram { path: Some(path.into()), privileged: true }
}

pub(super) fn two_pythons() -> Pythons {
    let python = |version: &str, path: &str| Python {
        minor: version.rsplit_once('.').unwrap().0.parse().unwrap(),
        version: version.into(),
        executable: path.into(),
    };
    Pythons {
        found: vec![
            python("3.11.2", "/usr/bin/python3.11"),
            python("3.10.13", "/home/ada/.pyenv/versions/3.10.13/bin/python3.10"),
        ],
        skipped: Vec::new(),
        default: Some(0),
        wanted: None,
        managed: "/srv/mecapy/pythons".into(),
        mirror: None,
    }
}

pub(super) fn roomy_disk() -> Disk {
    let place = |path: &str, existing: &str| Place {
        path: path.into(),
        existing: existing.into(),
        is_folder: true,
        writable: true,
        kind: "ext4".into(),
        free_bytes: 200_000_000_000,
        free_files: Some(10_000_000),
    };
    Disk {
        data: place("/srv/mecapy", "/srv"),
        database: None,
        temporary: place("/tmp", "/tmp"),
        memory_bytes: Some(8_000_000_000),
    }
}

pub(super) fn good_clock() -> Clock {
    Clock {
        now: Timestamp(1_767_225_600_000_000),
        wall_us: 700_000,
        steady_us: 700_000,
        synchronised: Some(true),
    }
}

pub(super) fn calculated() -> Calculation {
    Calculation::Tried(Ok(Calculated {
        result: r#"{"stress":384.0}"#.into(),
        python: "3.11.2".into(),
        sandbox: Duration::from_millis(20),
        template: Duration::from_millis(80),
        run: Duration::from_micros(1500),
    }))
}

/// A machine on which all but the system itself is good.
pub(super) fn facts(host: Host, calculation: Calculation) -> Facts {
    Facts {
        host: Ok(host),
        pythons: Ok(two_pythons()),
        uv: Ok(Uv { found: Ok(("/usr/local/bin/uv".into(), "0.9.2".into())), named: false }),
        disk: Ok(roomy_disk()),
        clock: Ok(good_clock()),
        calculation: Ok(calculation),
    }
}
