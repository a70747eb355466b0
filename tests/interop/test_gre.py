#!/usr/bin/python3
"""Keyed GRE in clear between two kernels: customers with the same addresses, 802.1Q and QinQ, IPv4 and IPv6."""

from flows import echo_both_ways
from lab import Circuit, lab
from live import main, own_namespace

CIRCUITS = [Circuit("contoso", 11, (100,)), Circuit("fabrikam", 12, (200, 10)), Circuit("northwind", 13, (200, 11)),
            Circuit("tailspin", 14, (300, 10), outer=6), Circuit("wingtip", 15, (400,), outer=6)]


def forward(program, directory, service_tpid):
    with lab(program, directory, CIRCUITS, service_tpid=service_tpid) as it:
        for inner in (4, 6):
            it.expect(echo_both_ways(it, lambda one: [84, 1028, one.inner_mtu(1500)], inner))
        it.check_undisturbed()


def service_tag_88a8(program, directory):
    forward(program, directory, 0x88A8)


def service_tag_8100(program, directory):
    forward(program, directory, 0x8100)


own_namespace()
main(service_tag_88a8, service_tag_8100)
