-- For wrk: one form, posted again and again. Prints one line of JSON at the end.
-- wrk -s post.lua URL -- BODY

wrk.method = "POST"
wrk.headers["Authorization"] = "APPCODE any"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"

function init(args)
  wrk.body = args[1]
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"microseconds":%d,"p50_microseconds":%.1f,"failed":%d}\n',
    summary.requests, summary.duration, latency:percentile(50.0),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
