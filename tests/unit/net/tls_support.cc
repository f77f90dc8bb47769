#include "tests/unit/net/tls_support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>

#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

void AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

Identity Make(const std::string& name) {
  static long serial = 1;
  Identity identity;
  identity.key.reset(EVP_EC_gen("P-256"));
  X509* certificate = X509_new();
  identity.certificate.reset(certificate);
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, identity.key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  return identity;
}

// Moves what is there from the plain socket into TLS; false at its end.
bool PlainToTls(int plain, SSL* ssl) {
  char buffer[16 * 1024];
  const ssize_t got = recv(plain, buffer, sizeof(buffer), 0);
  return got > 0 && SSL_write(ssl, buffer, static_cast<int>(got)) == got;
}

bool TlsToPlain(SSL* ssl, int plain) {
  char buffer[16 * 1024];
  do {
    const int got = SSL_read(ssl, buffer, sizeof(buffer));
    if (got <= 0) return false;
    SendAll(plain, {buffer, static_cast<size_t>(got)});
  } while (SSL_pending(ssl) > 0);
  return true;
}

void Relay(SSL* ssl, int secure, int plain) {
  for (;;) {
    pollfd ready[] = {{secure, POLLIN, 0}, {plain, POLLIN, 0}};
    if (poll(ready, 2, 20'000) <= 0) return;
    if (ready[0].revents != 0 && !TlsToPlain(ssl, plain)) return;
    if (ready[1].revents != 0 && !PlainToTls(plain, ssl)) {
      SSL_shutdown(ssl);
      return;
    }
  }
}

}  // namespace

Identity MakeAuthority() {
  Identity identity = Make("test authority");
  X509* certificate = identity.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_key_usage, "critical,keyCertSign");
  X509_sign(certificate, identity.key.get(), EVP_sha256());
  return identity;
}

Identity MakeServer(const Identity& authority, const std::string& names) {
  Identity identity = Make("test server");
  X509* certificate = identity.certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(authority.certificate.get()));
  AddExtension(certificate, authority.certificate.get(), NID_subject_alt_name, names);
  X509_sign(certificate, authority.key.get(), EVP_sha256());
  return identity;
}

void WritePem(const Identity& identity, const std::string& path) {
  FILE* file = fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr) << path;
  PEM_write_X509(file, identity.certificate.get());
  fclose(file);
}

TlsRelay::TlsRelay(const Identity& identity, uint16_t target)
    : context_(SSL_CTX_new(TLS_server_method())),
      target_(target),
      listen_fd_(ListenOnLoopback(&port_)) {
  SSL_CTX_use_certificate(context_, identity.certificate.get());
  SSL_CTX_use_PrivateKey(context_, identity.key.get());
  acceptor_ = std::thread([this] {
    sigset_t broken_pipe;
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    std::vector<std::thread> threads;
    for (int fd = accept(listen_fd_, nullptr, nullptr); fd >= 0;
         fd = accept(listen_fd_, nullptr, nullptr)) {
      threads.emplace_back([this, fd] { Serve(fd); });
    }
    for (std::thread& thread : threads) thread.join();
  });
}

TlsRelay::~TlsRelay() {
  shutdown(listen_fd_, SHUT_RDWR);
  acceptor_.join();
  close(listen_fd_);
  SSL_CTX_free(context_);
}

void TlsRelay::Serve(int fd) const {
  SSL* ssl = SSL_new(context_);
  SSL_set_fd(ssl, fd);
  if (SSL_accept(ssl) == 1) {
    const RawClient plain(target_);
    Relay(ssl, fd, plain.fd());
  }
  SSL_free(ssl);
  close(fd);
}

}  // namespace talkjsd::net
