// What the tests ask of sshj. Arguments: host, port, login, key file.
import java.nio.file.*;
import net.schmizz.sshj.SSHClient;
import net.schmizz.sshj.connection.channel.direct.Session;
import net.schmizz.sshj.sftp.SFTPClient;
import net.schmizz.sshj.transport.verification.PromiscuousVerifier;

public class SshjClient {
  public static void main(String[] a) throws Exception {
    try (SSHClient ssh = new SSHClient()) {
      ssh.addHostKeyVerifier(new PromiscuousVerifier());
      ssh.connect(a[0], Integer.parseInt(a[1]));
      ssh.authPublickey(a[2], a[3]);
      try (Session session = ssh.startSession()) {
        Session.Command command = session.exec("cat; exit 7");
        command.getOutputStream().write("in".getBytes());
        command.getOutputStream().close();
        String text = new String(command.getInputStream().readAllBytes());
        command.join();
        System.out.println("exec " + text + " " + command.getExitStatus());
      }
      try (SFTPClient sftp = ssh.newSFTPClient()) {
        Path file = Files.createTempFile("sshj", "");
        Files.write(file, new byte[1000000]);
        sftp.put(file.toString(), "by-sshj");
        System.out.println("sftp " + sftp.stat("by-sshj").getSize());
        Files.delete(file);
      }
    }
  }
}
