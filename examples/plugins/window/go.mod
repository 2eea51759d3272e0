module window

go 1.24
