// java -Dfile.encoding=UTF-8 Java.java [URL]: one call, and what it cost. JDK 11 or newer alone.
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

class Java {
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    public static void main(String[] args) throws Exception {
        String set = System.getenv().getOrDefault("MOCK_URL", "http://127.0.0.1:8001");
        String url = args.length > 0 ? args[0] : set;

        send(request(url + "/__admin/reset").POST(BodyPublishers.noBody()));
        String form = "name=" + URLEncoder.encode("李秀英", StandardCharsets.UTF_8)
            + "&idNo=120101185304270249";
        String answer = send(request(url + "/idenAuthentication")
            .header("Authorization", "APPCODE any")
            .header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
            .POST(BodyPublishers.ofString(form)));
        String ledger = send(request(url + "/__admin/ledger"));

        // A JSON library of yours reads this better.
        String code = find("\"respCode\":\"(\\w+)\"", answer);
        String paid = find("\"paid_calls\":(\\d+)", ledger);
        System.out.println("respCode " + code);
        System.out.println("paid_calls " + paid);
        System.exit(code.equals("0000") && paid.equals("1") ? 0 : 1);
    }

    static HttpRequest.Builder request(String url) {
        return HttpRequest.newBuilder(URI.create(url));
    }

    static String send(HttpRequest.Builder request) throws Exception {
        var response = CLIENT.send(request.build(), BodyHandlers.ofString());
        // A gateway's refusal has an empty body: look at the status before the JSON.
        if (response.statusCode() != 200) {
            throw new IllegalStateException(response.statusCode() + " "
                + response.headers().firstValue("X-Ca-Error-Message").orElse(""));
        }
        return response.body();
    }

    static String find(String pattern, String text) {
        var found = Pattern.compile(pattern).matcher(text);
        return found.find() ? found.group(1) : "none";
    }
}
