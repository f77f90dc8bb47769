// TLS for tests: certificates made on the spot, and a relay that takes TLS off before a plain
// server.
#ifndef TALKJSD_TESTS_UNIT_NET_TLS_SUPPORT_H_
#define TALKJSD_TESTS_UNIT_NET_TLS_SUPPORT_H_

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace talkjsd::net {

struct KeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct CertificateDeleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};

struct Identity {
  std::unique_ptr<EVP_PKEY, KeyDeleter> key;
  std::unique_ptr<X509, CertificateDeleter> certificate;
};

// A self-signed CA (EC P-256, valid for an hour).
Identity MakeAuthority();
// Signed by `authority`; `names` as in subjectAltName: "DNS:localhost,IP:127.0.0.1".
Identity MakeServer(const Identity& authority, const std::string& names);
// Writes the certificate as PEM.
void WritePem(const Identity& identity, const std::string& path);

// Accepts TLS on a port of its own and passes the bytes to and from 127.0.0.1:`target`. One thread
// a connection.
class TlsRelay {
 public:
  TlsRelay(const Identity& identity, uint16_t target);
  ~TlsRelay();
  uint16_t port() const { return port_; }

 private:
  void Serve(int fd) const;
  SSL_CTX* context_;
  uint16_t target_;
  uint16_t port_ = 0;
  int listen_fd_;
  std::thread acceptor_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_TESTS_UNIT_NET_TLS_SUPPORT_H_
