// The file of a bundle: tar (POSIX ustar) through zstd.

#include "eventlog/merkle/bundle.h"

#include <fmt/format.h>
#include <zstd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <unistd.h>

namespace linkledger::eventlog::merkle {
namespace {

constexpr std::size_t tar_block = 512;
constexpr std::size_t member_bytes_max = std::size_t{1} << 30;
constexpr int compression_level = 3;

struct file_closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
};
using file_handle = std::unique_ptr<std::FILE, file_closer>;

void put(std::string& header, std::size_t at, std::string_view text) {
    std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
}

/// A file readable by all, of no owner, from the beginning of time: equal logs make equal bundles.
std::string tar_header(std::string const& name, std::size_t size) {
    std::string header(tar_block, '\0');
    put(header, 0, name);
    put(header, 100, "0000644");
    put(header, 108, "0000000");
    put(header, 116, "0000000");
    put(header, 124, fmt::format("{:011o}", size));
    put(header, 136, "00000000000");
    put(header, 148, "        ");
    put(header, 156, "0");
    put(header, 257,
        std::string_view{"ustar\0"
                         "00",
                         8});
    unsigned sum = 0;
    for (char const c : header) sum += static_cast<unsigned char>(c);
    put(header, 148, fmt::format("{:06o}", sum) + std::string{"\0 ", 2});
    return header;
}

std::size_t padding_of(std::size_t size) {
    return (tar_block - size % tar_block) % tar_block;
}

class file_writer final : public bundle_writer {
public:
    file_writer(std::string path, file_handle file)
        : path_(std::move(path)), file_(std::move(file)), stream_(ZSTD_createCStream()) {
        ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_compressionLevel, compression_level);
        ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_checksumFlag, 1);
        out_.resize(ZSTD_CStreamOutSize());
    }

    result<void> add(std::string const& name, std::string_view bytes) override {
        BOOST_OUTCOME_TRY(write(tar_header(name, bytes.size()), ZSTD_e_continue));
        BOOST_OUTCOME_TRY(write(bytes, ZSTD_e_continue));
        return write(std::string(padding_of(bytes.size()), '\0'), ZSTD_e_continue);
    }

    result<void> finish() override {
        BOOST_OUTCOME_TRY(write(std::string(2 * tar_block, '\0'), ZSTD_e_end));
        if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0)
            return system_failure("cannot write", path_);
        return boost::outcome_v2::success();
    }

private:
    struct stream_deleter {
        void operator()(ZSTD_CStream* stream) const { ZSTD_freeCStream(stream); }
    };

    result<void> write(std::string_view bytes, ZSTD_EndDirective how) {
        ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
        for (;;) {
            ZSTD_outBuffer out{out_.data(), out_.size(), 0};
            std::size_t const left = ZSTD_compressStream2(stream_.get(), &out, &in, how);
            if (ZSTD_isError(left) != 0)
                return failure{failure_code::corrupted, std::string{"zstd: "} + ZSTD_getErrorName(left)};
            if (std::fwrite(out_.data(), 1, out.pos, file_.get()) != out.pos)
                return system_failure("cannot write", path_);
            if (how == ZSTD_e_end ? left == 0 : in.pos == in.size) return boost::outcome_v2::success();
        }
    }

    std::string path_;
    file_handle file_;
    std::unique_ptr<ZSTD_CStream, stream_deleter> stream_;
    std::string out_;
};

class file_reader {
public:
    explicit file_reader(file_handle file) : file_(std::move(file)), stream_(ZSTD_createDStream()) {
        in_.resize(ZSTD_DStreamInSize());
    }

    result<std::optional<bundle_member>> next() {
        std::string header(tar_block, '\0');
        BOOST_OUTCOME_TRY(read(header));
        if (header.find_first_not_of('\0') == std::string::npos) {
            BOOST_OUTCOME_TRY(read_to_the_end());
            return std::optional<bundle_member>{};
        }
        std::size_t size = 0;
        auto const* const digits = header.data() + 124;
        auto const [end, error] = std::from_chars(digits, digits + 11, size, 8);
        if (error != std::errc{} || end != digits + 11 || size > member_bytes_max) return damaged();
        bundle_member member{std::string{header.c_str(), ::strnlen(header.c_str(), 100)}, {}};
        if (header != tar_header(member.name, size)) return damaged();
        member.bytes.resize(size);
        BOOST_OUTCOME_TRY(read(member.bytes));
        std::string padding(padding_of(size), '\0');
        BOOST_OUTCOME_TRY(read(padding));
        return std::optional{std::move(member)};
    }

private:
    struct stream_deleter {
        void operator()(ZSTD_DStream* stream) const { ZSTD_freeDStream(stream); }
    };

    static failure damaged() { return {failure_code::corrupted, "the bundle is damaged or cut short"}; }

    /// Fills `into`.
    result<void> read(std::string& into) {
        ZSTD_outBuffer out{into.data(), into.size(), 0};
        while (out.pos < out.size) {
            BOOST_OUTCOME_TRY(decompress(out));
        }
        return boost::outcome_v2::success();
    }

    /// What was read before may still hold output when the file has ended.
    result<void> decompress(ZSTD_outBuffer& out) {
        bool const more = refill();
        std::size_t const before = out.pos;
        left_ = ZSTD_decompressStream(stream_.get(), &out, &buffer_);
        if (ZSTD_isError(left_) != 0 || (!more && out.pos == before && left_ != 0)) return damaged();
        return boost::outcome_v2::success();
    }

    /// The checksum of the whole comes last.
    result<void> read_to_the_end() {
        std::string rest(tar_block, '\0');
        while (left_ != 0) {
            ZSTD_outBuffer out{rest.data(), rest.size(), 0};
            BOOST_OUTCOME_TRY(decompress(out));
        }
        return boost::outcome_v2::success();
    }

    bool refill() {
        if (buffer_.pos < buffer_.size) return true;
        std::size_t const size = std::fread(in_.data(), 1, in_.size(), file_.get());
        buffer_ = {in_.data(), size, 0};
        return size > 0;
    }

    file_handle file_;
    std::unique_ptr<ZSTD_DStream, stream_deleter> stream_;
    std::string in_;
    ZSTD_inBuffer buffer_{nullptr, 0, 0};
    std::size_t left_ = 1;
};

}  // namespace

result<std::unique_ptr<bundle_writer>> create_bundle(std::string const& path) {
    file_handle file{std::fopen(path.c_str(), "wbx")};
    if (!file) return system_failure("cannot create", path);
    return std::unique_ptr<bundle_writer>{std::make_unique<file_writer>(path, std::move(file))};
}

result<member_reader> open_bundle(std::string const& path) {
    file_handle file{std::fopen(path.c_str(), "rb")};
    if (!file) return system_failure("cannot open", path);
    auto const reader = std::make_shared<file_reader>(std::move(file));
    return member_reader{[reader] { return reader->next(); }};
}

}  // namespace linkledger::eventlog::merkle
