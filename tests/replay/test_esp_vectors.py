"""esp.py against packets that others have published."""

import struct
import unittest

import esp

# RFC 7634 appendix A.
CHACHA = [
    ("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f" "a0a1a2a3", "0102030400000005",
     "1011121314151617",
     "45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec100007362708090a0b0c0d0e0f101112131415161718191a1b"
     "1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363701020204",
     "24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c614ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9"
     "befe2facc638e8f3cbec163fac469b502773f6fb94e664da9165b82829f641e0" "76aaa8266b7fb0f7b11b369907e1ad43"),
]

# draft-mcgrew-gcm-test-01: key and salt, SPI and sequence (eight octets of it with ESN), IV, plaintext, sealed.
GCM = [
    ("4c80cdefbb5d10da906ac73c3613a634" "2e443b68", "000043218765432100000000", "4956ed7e3b244cfe",
     "45000048699a000080114db7c0a80102c0a801010a9bf15638d301000001000000000000045f736970045f75647003736970096379626572"
     "6369747902646b000021000101020201",
     "fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff62"
     "47aeabb786b93bce61bc17d768fd9732" "459018148f6cbe722fd04796562dfdb4"),
    ("feffe9928665731c6d6a8f9467308308" "cafebabe", "0000a5f80000000a", "facedbaddecaf888",
     "4500003e698f000080114dccc0a80102c0a801010a980035002a2343b2d00100000100000000000003736970096379626572636974790264"
     "6b00000100010001",
     "deb22cd9b07c72c16e3a65beeb8df304a5a5897d33ae530f1ba76d5d114d2a5c3de81827c10e9a4f51330d0eec416642cfbb85a5b47e48a4"
     "ec3b9ba95d918bd1" "83b70d3aa8bc6ee4c309e9d85a41ad4a"),
    ("abbccddef00112233445566778899aababbccddef00112233445566778899aab" "11223344", "4a2cbfe300000002",
     "0102030405060708",
     "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf0000020405b40101040201020201",
     "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a637985771d347f0545659f14e99def842d8e"
     "b335f4eecfdbf831824b4c4915956c96"),
    ("3de09874b388e6491988d0c3607eae1f" "57690e43", "42f67e3f1010101010101010", "4e280000a2fca1a3",
     "4500001c42a200008001441f406793b6e00000020a00f5ff01020201",
     "fba2ca845e5df9f0f22c3e6e86dd831e1fc65792cd1af9130e1379ed" "369f071f35e034be95f112e4e7d05d35"),
    ("abbccddef00112233445566778899aababbccddef00112233445566778899aab" "73616c74", "17405e67156f3126dd0db99b",
     "616e640169766563",
     "45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
     "f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e"
     "451626c2415771e3b7eebca614c89b35"),
    ("7d773d00c144c525ac619d18c84a3f47" "d9664267", "335467aeffffffff", "43457e9182443bc6",
     "01020201", "437f866b" "cb3f699fe9b0822bac961c4504bef270"),
]

# RFC 3602 section 4, cases 5 to 8: key, next header, payload, packet without an ICV.
CBC = [
    ("90d382b410eeba7ad938c46cec1a82bf", 1,
     "08000ebda70a00008e9c083db95b070008090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"
     "3031323334353637",
     "0000432100000001e96e8c08ab465763fd098d45dd3ff893f663c25d325c18c6a9453e194e120849a4870b66cc6b9965330013b4898dc856"
     "a4699e523a55db080b59ec3a8e4b7e52775b07d1db34ed9c538ab50c551b874aa269add047ad2d5913ac19b7cfbad4a6"),
    ("90d382b410eeba7ad938c46cec1a82bf", 1, "0800b5e8a80a0500a69c083d0b660e00777777777777777777777777",
     "000043210000000869d08df7d203329db093fc4924e5bd80f51995881ec4e0c4488987ce742e8109689bb379d2d750c0d915dca346a89f"
     "75"),
    ("0123456789abcdef0123456789abcdef", 4,
     "45000054090400004001f988c0a87b03c0a87bc808009f76a90a0100b49c083d02a2040008090a0b0c0d0e0f101112131415161718191a1b"
     "1c1d1e1f202122232425262728292a2b2c2d2e2f3031323334353637",
     "0000876500000002f4e765244f6407adf13dc1380f673f37773b5241a4c449225e4f3ce5ed611b0c237ca96cf74a93013c1b0ea1a0cf70f8"
     "e4ecaec78ac53aad7a0f022b859243c647752e94a859352b8a4d4d2decd136e5c177f132ad3fbfb2201ac9904c74ee0a109e0ca1e4dfe9d5"
     "a100b842f1c22f0d"),
    ("0123456789abcdef0123456789abcdef", 4,
     "45000044090c00004001f990c0a87b03c0a87bc80800d63caa0a0200c69c083da3de0300ffffffffffffffffffffffffffffffffffffffff"
     "ffffffffffffffffffffffff",
     "000087650000000585d47224b5f3dd5d2101d4ea8dffab2215b92683819596a8047232cc00f7048fe45318e11f8a0f62ede3c3fc61203bb5"
     "0f980a08c9843fd3a1b06d5c07ff9639b7eb7dfb3512e5de435e7207ed971ef3d2726d9b5ef6affc6d17a0decbb13892"),
]

# RFC 4868 section 2.7.2.1: key, data, HMAC-SHA-256-128.
HMAC = [
    (b"\x0b" * 32, b"Hi There", "198a607eb44bfbc69903a0f1cf2bbdc5"),
    (b"Jefe" * 8, b"what do ya want for nothing?", "167f928588c5cc2eef8e3093caa0e87c"),
    (b"\xaa" * 32, b"\xdd" * 50, "cdcb1220d1ecccea91e53aba3092f962"),
]


class Vectors(unittest.TestCase):
    def aead(self, suite, material, aad, iv, text, sealed):
        material, aad, iv, text, sealed = map(bytes.fromhex, (material, aad, iv, text, sealed))
        esn = len(aad) == 12
        spi, sequence = struct.unpack("!IQ" if esn else "!II", aad)
        sa = esp.Association(esp.SUITES[suite], material, spi, esn)
        packet = aad[:4] + aad[-4:] + iv + sealed
        self.assertEqual(sa.seal_text(sequence, text, iv), packet)
        self.assertEqual(sa.open_text(packet, sequence >> 32), (sequence, text))
        payload, next_header = esp.split_trailer(text)
        self.assertEqual(sa.seal(sequence, next_header, payload, iv), packet)
        if esn:
            with self.assertRaisesRegex(esp.Refused, "esp_bad_icv"):
                sa.open(packet, (sequence >> 32) + 1)

    def test_chacha20_poly1305(self):
        for vector in CHACHA:
            self.aead("chacha20-poly1305", *vector)

    def test_aes_gcm(self):
        for vector in GCM:
            self.aead("aes-gcm-%d" % ((len(vector[0]) // 2 - 4) * 8), *vector)

    def test_aes_cbc(self):
        for key, next_header, payload, packet in CBC:
            key, payload, packet = map(bytes.fromhex, (key, payload, packet))
            spi, sequence = struct.unpack_from("!II", packet)
            sa = esp.Association(esp.SUITES["aes-cbc-128-hmac-sha256-128"], key + b"a" * 32, spi)
            sealed = sa.seal(sequence, next_header, payload, packet[8:24])
            self.assertEqual(sealed[:-16], packet)
            self.assertEqual(sa.open(sealed), (sequence, next_header, payload))

    def test_hmac_sha256_128(self):
        for key, data, value in HMAC:
            for suite in ("aes-cbc-128-hmac-sha256-128", "aes-cbc-256-hmac-sha256-128"):
                size = esp.SUITES[suite].key
                sa = esp.Association(esp.SUITES[suite], b"c" * size + key, 256)
                self.assertEqual(sa.mac(data, 1).hex(), value)


if __name__ == "__main__":
    unittest.main()
