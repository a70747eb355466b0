"""The other end of a memif port: enough of the protocol to connect, to exchange frames as a client, and to die."""

import array
import mmap
import os
import socket
import struct

from edge import PATIENCE, wait_until

VERSION = 0x0200
COOKIE = 0x3E31F20
MESSAGE = 128  # octets
ACK, HELLO, INIT, ADD_REGION, ADD_RING, CONNECT, CONNECTED = 1, 2, 3, 4, 5, 6, 7
LOG2_SLOTS = 8
SLOTS = 1 << LOG2_SLOTS
BUFFER = 2048
HEAD, TAIL, DESCRIPTORS = 6, 64, 128  # in a ring; a descriptor is flags, region, length, offset, metadata
RING = DESCRIPTORS + 16 * SLOTS
OUT, IN = 0, 1  # our rings: the one to the edge first


class MemifPeer:
    """Connected when made. Two rings of 256 buffers in one region; nobody is ever woken."""

    def __init__(self, path):
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(PATIENCE)
        size = 2 * RING + 2 * SLOTS * BUFFER
        self.files = [os.memfd_create("region", os.MFD_ALLOW_SEALING), os.eventfd(0), os.eventfd(0)]
        os.ftruncate(self.files[0], size)
        self.memory = mmap.mmap(self.files[0], size)
        self.words = memoryview(self.memory).cast("H")  # written at once; struct clears what it is about to write
        for ring in (OUT, IN):
            struct.pack_into("=IHH", self.memory, ring * RING, COOKIE, 1, 0)
            for slot in range(SLOTS):
                struct.pack_into("=HHIII", self.memory, ring * RING + DESCRIPTORS + 16 * slot, 0, 0, BUFFER,
                                 self.buffer(ring, slot), 0)
        self.sent = self.received = 0
        try:
            self.connect(path, size)
        except BaseException:
            self.die()
            raise

    def connect(self, path, size):
        self.control.connect(path)
        self.control.recv(MESSAGE)  # HELLO
        self.say(INIT, struct.pack("=HIB", VERSION, 0, 0), ACK)
        self.say(ADD_REGION, struct.pack("=HQ", 0, size), ACK, self.files[0])
        self.say(ADD_RING, struct.pack("=HHHIBH", 1, 0, 0, OUT * RING, LOG2_SLOTS, 0), ACK, self.files[1])
        self.say(ADD_RING, struct.pack("=HHHIBH", 0, 0, 0, IN * RING, LOG2_SLOTS, 0), ACK, self.files[2])
        self.say(CONNECT, b"peer", CONNECTED)
        self.set(IN, HEAD, SLOTS)  # all of its buffers are the edge's to fill

    def say(self, kind, body, answer, file=None):
        message = struct.pack("=H", kind) + body
        rights = [] if file is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file]))]
        self.control.sendmsg([message + bytes(MESSAGE - len(message))], rights)
        got = self.control.recv(MESSAGE)
        if got[:2] != struct.pack("=H", answer):
            raise ConnectionResetError(got)

    @staticmethod
    def buffer(ring, slot):
        return 2 * RING + (ring * SLOTS + slot % SLOTS) * BUFFER

    def get(self, ring, which):
        return self.words[(ring * RING + which) // 2]

    def set(self, ring, which, value):
        self.words[(ring * RING + which) // 2] = value & 0xFFFF

    def length_at(self, ring, slot):
        return ring * RING + DESCRIPTORS + 16 * (slot % SLOTS) + 4

    def send(self, *frames):
        """At most as many as there are slots the edge has emptied."""
        for frame in frames:
            start = self.buffer(OUT, self.sent)
            self.memory[start:start + len(frame)] = frame
            struct.pack_into("=I", self.memory, self.length_at(OUT, self.sent), len(frame))
            self.sent += 1
        self.set(OUT, HEAD, self.sent)

    def has_frame(self):
        return self.get(IN, TAIL) != self.received & 0xFFFF

    def receive(self):
        """The next frame; waits for it."""
        wait_until("a frame over memif", self.has_frame)
        start = self.buffer(IN, self.received)
        length = struct.unpack_from("=I", self.memory, self.length_at(IN, self.received))[0]
        frame = self.memory[start:start + length]
        struct.pack_into("=I", self.memory, self.length_at(IN, self.received), BUFFER)  # the room there is for the next
        self.received += 1
        self.set(IN, HEAD, self.received + SLOTS)
        return frame

    def die(self):
        """As a process does that is killed."""
        self.control.close()
        self.words.release()
        self.memory.close()
        for file in self.files:
            os.close(file)


class MemifServer:
    """Listens when made; a client finds a server that greets, agrees to everything, and reads no ring."""

    def __init__(self, path):
        self.path = path
        if os.path.exists(path):
            os.unlink(path)  # of one that died
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.settimeout(PATIENCE)
        self.listener.bind(path)
        self.listener.listen(1)
        self.control = None

    def accept(self):
        self.control = self.listener.accept()[0]
        self.control.settimeout(PATIENCE)

    def greet(self):
        self.say(HELLO, struct.pack("=32sHHHHHB", b"server", VERSION, VERSION, 1, 0, 0, 10))

    def say(self, kind, body=b""):
        message = struct.pack("=H", kind) + body
        self.control.send(message + bytes(MESSAGE - len(message)))

    def answer(self, most=None):
        """Until the client is connected, or `most` of its messages. Returns whether it is."""
        while most is None or most > 0:
            kind = struct.unpack_from("=H", self.control.recv(MESSAGE))[0]
            if kind == CONNECT:
                self.say(CONNECTED, b"server")
                return True
            assert kind in (INIT, ADD_REGION, ADD_RING), kind
            self.say(ACK)
            most = None if most is None else most - 1
        return False

    def die(self):
        """As a process does that is killed: its socket's name stays."""
        for end in (self.control, self.listener):
            if end is not None:
                end.close()
