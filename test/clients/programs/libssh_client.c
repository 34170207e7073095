/* What the tests ask of libssh: sign in by key, run a command, write a file by sftp.
   Arguments: host, port, login, key file. */
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, ssh_session session) {
  fprintf(stderr, "%s: %s\n", what, ssh_get_error(session));
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 5) return 2;
  ssh_session session = ssh_new();
  long timeout = 15;
  ssh_options_set(session, SSH_OPTIONS_HOST, argv[1]);
  ssh_options_set(session, SSH_OPTIONS_PORT_STR, argv[2]);
  ssh_options_set(session, SSH_OPTIONS_USER, argv[3]);
  ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &timeout);
  if (ssh_connect(session) != SSH_OK) fail("connect", session);
  ssh_key key;
  if (ssh_pki_import_privkey_file(argv[4], NULL, NULL, NULL, &key) != SSH_OK) fail("key", session);
  if (ssh_userauth_publickey(session, NULL, key) != SSH_AUTH_SUCCESS) fail("sign in", session);

  ssh_channel channel = ssh_channel_new(session);
  if (ssh_channel_open_session(channel) != SSH_OK) fail("channel", session);
  if (ssh_channel_request_exec(channel, "cat; exit 7") != SSH_OK) fail("exec", session);
  ssh_channel_write(channel, "in", 2);
  ssh_channel_send_eof(channel);
  char buffer[64];
  int total = 0, got;
  while ((got = ssh_channel_read(channel, buffer + total, sizeof buffer - 1 - total, 0)) > 0) total += got;
  buffer[total] = 0;
  printf("exec %s %d\n", buffer, ssh_channel_get_exit_status(channel));
  ssh_channel_free(channel);

  sftp_session sftp = sftp_new(session);
  if (sftp == NULL || sftp_init(sftp) != SSH_OK) fail("sftp", session);
  sftp_file file = sftp_open(sftp, "by-libssh", O_CREAT | O_TRUNC | O_WRONLY, 0600);
  if (file == NULL) fail("open", session);
  char block[16384];
  memset(block, 'x', sizeof block);
  for (int n = 0; n < 100; n += 1)
    if (sftp_write(file, block, sizeof block) != (ssize_t)sizeof block) fail("write", session);
  sftp_close(file);
  sftp_attributes attributes = sftp_stat(sftp, "by-libssh");
  if (attributes == NULL) fail("stat", session);
  printf("sftp %llu\n", (unsigned long long)attributes->size);
  sftp_free(sftp);
  ssh_disconnect(session);
  return 0;
}
