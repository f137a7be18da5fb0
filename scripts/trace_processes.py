"""Processes, threads, signals and pipes, as engineers use them; see trace_exercises.py."""

import os
import sys


def square(number):
    return number * number


def processes(folder):
    import multiprocessing

    for method in ("fork", "spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        queue, event, lock = context.Queue(), context.Event(), context.Lock()
        value = context.Value("d", 1.0)
        ours, theirs = context.Pipe()
        child = context.Process(target=work, args=(queue, event, lock, value, theirs))
        child.start()
        event.set()
        assert (queue.get(timeout=60), ours.recv()) == (4, "sent")
        child.join(60)
        assert (child.exitcode, value.value) == (0, 2.0)
    child = multiprocessing.get_context("fork").Process(target=sleep_long)
    child.start()
    child.terminate()
    child.join()
    with multiprocessing.get_context("fork").Manager() as manager:
        shared = manager.dict(a=1)
        shared["b"] = 2


def work(queue, event, lock, value, pipe):
    event.wait(60)
    with lock:
        value.value = 2.0
    queue.put(square(2))
    pipe.send("sent")


def sleep_long():
    import time

    time.sleep(60)


def pools(folder):
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        assert pool.map(square, range(50), chunksize=5)[-1] == 49 * 49
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(square, range(5))) == [0, 1, 4, 9, 16]
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(square, range(5))) == 30


def shared_memory(folder):
    from multiprocessing import shared_memory as shared

    block = shared.SharedMemory(create=True, size=1 << 16)
    block.buf[:4] = b"data"
    shared.SharedMemory(name=block.name).close()
    block.close()
    block.unlink()


def threads(folder):
    import queue
    import threading

    items, done = queue.Queue(), threading.Event()
    condition, barrier = threading.Condition(), threading.Barrier(3, timeout=60)

    def serve():
        barrier.wait()
        while not done.is_set():
            try:
                items.get(timeout=0.01)
            except queue.Empty:
                pass

    workers = [threading.Thread(target=serve) for _ in range(2)]
    for worker in workers:
        worker.start()
    barrier.wait()
    with condition:
        condition.wait(0.01)
    timer = threading.Timer(0.01, done.set)
    timer.start()
    for worker in workers:
        worker.join(60)
    threading.get_native_id()
    threading.stack_size(1 << 20)
    threading.Thread(target=len, args=("",)).start()


def programs(folder):
    """Refused in a run; how Python asks for it is worth knowing."""
    import subprocess

    subprocess.run([sys.executable, "-c", ""], check=True)
    said = subprocess.run("echo said", shell=True, capture_output=True, cwd=folder, check=True)
    assert said.stdout == b"said\n"
    subprocess.run(["cat"], input=b"x" * 200_000, stdout=subprocess.DEVNULL, timeout=60, check=True)
    subprocess.Popen(["true"], start_new_session=True, close_fds=False).wait(60)
    os.system("true")
    os.popen("true").close()
    os.waitpid(os.spawnlp(os.P_NOWAIT, "true", "true"), 0)
    os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
    try:
        subprocess.run(["not-a-program"])
    except FileNotFoundError:
        pass


def event_loops(folder):
    import asyncio
    import time

    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.gather(asyncio.sleep(0.01), loop.run_in_executor(None, time.sleep, 0.01))
        await asyncio.to_thread(len, "")
        child = await asyncio.create_subprocess_exec("true")
        await child.wait()
        loop.add_signal_handler(10, len, "")
        loop.remove_signal_handler(10)

    asyncio.run(main())


def signals_and_timers(folder):
    import signal
    import time

    heard = []
    signal.signal(signal.SIGALRM, lambda *_: heard.append("alarm"))
    signal.signal(signal.SIGUSR1, lambda *_: heard.append("user"))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.getitimer(signal.ITIMER_REAL)
    time.sleep(0.05)
    signal.alarm(1)
    signal.pause()
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    signal.pthread_kill(__import__("threading").get_ident(), signal.SIGUSR1)
    assert heard == ["alarm"] * 2 + ["user"] * 3
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    os.kill(os.getpid(), signal.SIGUSR2)
    assert signal.sigpending() == {signal.SIGUSR2}
    signal.sigwait({signal.SIGUSR2})
    signal.sigtimedwait({signal.SIGUSR2}, 0.001)
    os.kill(os.getpid(), signal.SIGUSR2)
    signal.sigwaitinfo({signal.SIGUSR2})
    signal.siginterrupt(signal.SIGUSR1, True)
    signal.set_wakeup_fd(-1)
    import faulthandler

    with open(folder / "faults", "w") as file:
        faulthandler.enable(file)
        faulthandler.dump_traceback_later(60, file=file)
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
    child = os.fork()
    if child == 0:
        os.abort()
    os.waitpid(child, 0)


def locks_between_processes(folder):
    """Refused in a run: files may be shared with other runs."""
    import fcntl

    with open(folder / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        fcntl.fcntl(file, fcntl.F_GETFL)
        fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 0)


def limits_and_priorities(folder):
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.getrlimit(resource.RLIMIT_AS)
    resource.prlimit(0, resource.RLIMIT_NOFILE)
    os.nice(1)
    os.getpriority(os.PRIO_PROCESS, 0)
    os.setpriority(os.PRIO_PROCESS, 0, 2)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_yield()
    os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_get_priority_max(os.SCHED_RR), os.sched_get_priority_min(os.SCHED_RR)
    os.sched_rr_get_interval(0)


def pipes_and_polls(folder):
    import select

    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.write(writer, b"x")
    select.select([reader], [], [], 0)
    poll = select.poll()
    poll.register(reader)
    poll.poll(0)
    with select.epoll() as epoll:
        epoll.register(reader)
        epoll.poll(0)
    for file in (reader, writer, *os.pipe2(os.O_CLOEXEC)):
        os.close(file)
    os.mkfifo(folder / "fifo")


def sockets(folder):
    """Refused in a run, but for pairs."""
    import socket

    left, right = socket.socketpair()
    left.settimeout(1)
    left.sendall(b"x")
    right.recv(1)
    left.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    left.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    left.getsockname(), left.getpeername()
    socket.send_fds(left, [b"x"], [0])
    socket.recv_fds(right, 1, 1)
    left.shutdown(socket.SHUT_WR)
    left.close(), right.close()
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname(), 5) as client:
            accepted, _ = server.accept()
            client.sendall(b"x")
            accepted.recv(1)
            accepted.close()
    try:
        socket.getaddrinfo("localhost", 80)
    except OSError:
        pass


def terminals_and_processes(folder):
    import shutil

    shutil.get_terminal_size()
    os.isatty(1)
    child = os.fork()
    if child == 0:
        os.setsid()
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os._exit(0)
    os.wait4(child, 0)
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED)
    if hasattr(os, "pidfd_open"):
        os.close(os.pidfd_open(os.getpid()))
