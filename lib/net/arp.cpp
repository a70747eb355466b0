#include "lib/net/arp.hpp"

#include <cstring>

namespace peerlane {

std::optional<ArpMessage> parse_arp(const std::uint8_t* at, unsigned length) noexcept {
    if (length < kArpLength) { return std::nullopt; }
    const auto& packet = *reinterpret_cast<const Arp*>(at);
    if (packet.hardware_type.get() != Arp::kEthernet || packet.protocol_type.get() != ether::kIpv4 ||
        packet.hardware_length != sizeof packet.sender_mac || packet.protocol_length != sizeof packet.sender) {
        return std::nullopt;
    }
    const auto operation = packet.operation.get();
    if (operation != Arp::kRequest && operation != Arp::kReply) { return std::nullopt; }
    ArpMessage message;
    message.request = operation == Arp::kRequest;
    std::memcpy(message.sender_mac.octets.data(), packet.sender_mac, sizeof packet.sender_mac);
    std::memcpy(message.target_mac.octets.data(), packet.target_mac, sizeof packet.target_mac);
    message.sender.value = packet.sender.get();
    message.target.value = packet.target.get();
    if (message.sender_mac.is_group() || message.sender_mac == Mac{}) { return std::nullopt; }
    return message;
}

unsigned write_arp(std::uint8_t* out, const ArpMessage& message) noexcept {
    auto& packet = *reinterpret_cast<Arp*>(out);
    packet.hardware_type.set(Arp::kEthernet);
    packet.protocol_type.set(ether::kIpv4);
    packet.hardware_length = sizeof packet.sender_mac;
    packet.protocol_length = sizeof packet.sender;
    packet.operation.set(message.request ? Arp::kRequest : Arp::kReply);
    std::memcpy(packet.sender_mac, message.sender_mac.octets.data(), sizeof packet.sender_mac);
    packet.sender.set(message.sender.value);
    std::memcpy(packet.target_mac, message.target_mac.octets.data(), sizeof packet.target_mac);
    packet.target.set(message.target.value);
    return kArpLength;
}

}  // namespace peerlane
