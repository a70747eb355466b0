#!/usr/bin/python3
"""Runs a command as systemd would run it under a unit's system call settings: confine.py UNIT COMMAND ARGUMENT...

SystemCallFilter, SystemCallErrorNumber, RestrictAddressFamilies and MemoryDenyWriteExecute become one seccomp filter, made by
libseccomp of what systemd-analyze says is in each group. As in systemd, refused calls fail with EPERM."""

import errno
import mmap
import os
import socket
import subprocess
import sys

import seccomp


def settings(unit):
    """[(name, value)] of a unit file, in order."""
    with open(unit, encoding="utf-8") as lines:
        pairs = [line.strip().split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    return [(name, value) for name, value in pairs]


def group(name):
    """The system calls of a group, and of the groups in it."""
    shown = subprocess.run(["systemd-analyze", "syscall-filter", "@" + name], capture_output=True, text=True, check=True)
    words = [line.strip() for line in shown.stdout.splitlines()[1:]]
    return calls(word for word in words if word and not word.startswith("#"))


def calls(words):
    names = set()
    for word in words:
        names |= group(word[1:]) if word.startswith("@") else {word}
    return names


def allowed_calls(unit):
    allowed = group("default")
    for name, value in settings(unit):
        if name == "SystemCallFilter":
            named = calls(value.lstrip("~").split())
            allowed = allowed - named if value.startswith("~") else allowed | named
    return allowed


def filter_of(unit):
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    named = dict(settings(unit))
    special = {"socket": [], "mmap": [], "mprotect": []}
    for family in named["RestrictAddressFamilies"].split():
        special["socket"].append(seccomp.Arg(0, seccomp.EQ, {"AF_XDP": 44}.get(family) or getattr(socket, family)))
    assert named["MemoryDenyWriteExecute"] == "yes"
    both = mmap.PROT_WRITE | mmap.PROT_EXEC
    for value in (0, mmap.PROT_WRITE, mmap.PROT_EXEC):
        special["mmap"].append(seccomp.Arg(2, seccomp.MASKED_EQ, both, value))
    special["mprotect"].append(seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0))
    for name in sorted(allowed_calls(unit)):
        try:
            for argument in special.get(name, [None]):
                rules.add_rule(seccomp.ALLOW, name, *([argument] if argument else []))
        except (RuntimeError, ValueError, TypeError):  # a call that this machine does not have
            continue
    return rules


if __name__ == "__main__":
    filter_of(sys.argv[1]).load()
    os.execv(sys.argv[2], sys.argv[2:])
