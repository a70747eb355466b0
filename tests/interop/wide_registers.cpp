// Between User-Mode Linux and ptrace(2). It knows 2696 octets of a process's vector registers, and the system does not
// take fewer than the processor has: 11008 with AMX. Those that it does not know stay as they are, or as they began.
#include <dlfcn.h>
#include <elf.h>
#include <linux/ptrace.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace {

using Ptrace = long (*)(int request, int process, std::uintptr_t address, void* data);

alignas(64) std::array<std::byte, 65536> registers;  // of a kernel that has one thread and small stacks

/// After the system has refused `known`.
long set_all(Ptrace system, int process, const iovec& known) {
    iovec all{registers.data(), registers.size()};
    const long failed = system(PTRACE_GETREGSET, process, NT_X86_XSTATE, &all);
    if (failed != 0 || known.iov_len >= all.iov_len) { return -1; }
    std::memcpy(registers.data(), known.iov_base, known.iov_len);
    return system(PTRACE_SETREGSET, process, NT_X86_XSTATE, &all);
}

}  // namespace

/// Instead of the C library's, which is declared with three dots and called alike.
extern "C" long ptrace(int request, int process, std::uintptr_t address, void* data) {
    static const auto system = reinterpret_cast<Ptrace>(dlsym(RTLD_NEXT, "ptrace"));
    const long result = system(request, process, address, data);
    const bool refused = result != 0 && request == PTRACE_SETREGSET && address == NT_X86_XSTATE;
    return refused ? set_all(system, process, *static_cast<const iovec*>(data)) : result;
}
